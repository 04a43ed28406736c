"""Are the mapping's items and their accounts what they have to be (contract netsuite 6.2, 6.4)?"""

from collections.abc import Iterable, Mapping

from refund_pipeline.domain.mapping import Mapping as RefundMapping
from refund_pipeline.gateways.netsuite_master_data import (
    Account,
    Item,
    MasterData,
    PaymentItem,
)
from refund_pipeline.steps.doctor_findings import Findings, error, warning
from refund_pipeline.steps.doctor_lists import AREA, Reader, all_well, unfit
from refund_pipeline.steps.doctor_uses import (
    Subsidiaries,
    Use,
    appeasement_items,
    merged,
    tender_uses,
)

_ITEMS = "Lists > Items (View)"
_ACCOUNTS = "Lists > Accounts (View)"
_OTHER_CHARGE = "OthCharge"
_PAYMENT = "Payment"
_KINDS = {_OTHER_CHARGE: "an Other Charge item for sale or resale", _PAYMENT: "a Payment item"}


def check_items(
    mapping: RefundMapping, lists: MasterData, reader: Reader, subsidiaries: Subsidiaries
) -> Findings:
    """Check items, payment methods and accounts; `subsidiaries` may be empty."""
    charges = appeasement_items(mapping)
    tenders = tender_uses(mapping, "item", subsidiaries)
    uses = [*charges, *tenders]
    ids = {use.internal_id for use in uses}
    items = reader.read("items", _ITEMS, lambda: lists.items(ids))
    payment_items = reader.read("payment items", _ITEMS, lambda: lists.payment_items(ids))
    allowed = reader.read(
        "subsidiaries of items", _ITEMS, lambda: lists.subsidiaries_of("item", ids)
    )
    if items is not None:
        yield from all_well(
            _items(charges, tenders, items, allowed, subsidiaries),
            f"the {len(ids)} items exist, are active, of the right type, not taxable and available"
            " where they are used",
        )
    posted_to = _accounts_behind(uses, items or {}, payment_items or {})
    yield from _payment_items_without_account(tenders, payment_items, items or {})
    yield from _accounts(mapping, lists, reader, posted_to, subsidiaries)
    yield from _payment_methods(mapping, lists, reader, subsidiaries)


def _items(
    charges: Iterable[Use],
    tenders: Iterable[Use],
    items: Mapping[str, Item],
    allowed: Mapping[str, frozenset[str]] | None,
    subsidiaries: Subsidiaries,
) -> Findings:
    silent = []
    for kind, uses in ((_OTHER_CHARGE, charges), (_PAYMENT, tenders)):
        for use in uses:
            item = items.get(use.internal_id)
            if item is None:
                yield error(
                    AREA,
                    f"{use.where}: NetSuite shows no item {use.internal_id}",
                    f"put the internal id of {_KINDS[kind]} there, or let the role see the item's"
                    " subsidiaries",
                )
                continue
            yield from _item(use, item, kind)
            if item.is_taxable is None:
                silent.append(use.internal_id)
            fix = f"put another item into {use.where}"
            yield from unfit(use, what="item", allowed=allowed, subsidiaries=subsidiaries, fix=fix)
    if silent:
        yield warning(
            AREA,
            f"NetSuite does not say whether items {', '.join(silent)} are taxable",
            "make sure that they are not: open them under Lists > Accounting > Items",
        )


def _item(use: Use, item: Item, kind: str) -> Findings:
    name = f"item {use.internal_id}"
    if item.kind != kind:
        yield error(
            AREA,
            f"{use.where}: {name} is of type {item.kind or 'unknown'}, not {_KINDS[kind]}",
            f"put {_KINDS[kind]} into {use.where}",
        )
        return
    if kind == _OTHER_CHARGE and item.subtype.lower().startswith("purchase"):
        yield error(
            AREA,
            f"{use.where}: {name} is an Other Charge item for purchase, which cannot be refunded",
            f"put {_KINDS[kind]} into {use.where}",
        )
    if not item.is_active:
        yield error(
            AREA,
            f"{use.where}: {name} is inactive",
            f"activate {name} under Lists > Accounting > Items, or put another one into"
            f" {use.where}",
        )
    if item.is_taxable:
        yield error(
            AREA,
            f"{use.where}: {name} is taxable, so NetSuite would change what a refund sums to",
            f"make {name} non-taxable under Lists > Accounting > Items",
        )


def _payment_items_without_account(
    tenders: Iterable[Use],
    payment_items: Mapping[str, PaymentItem] | None,
    items: Mapping[str, Item],
) -> Findings:
    if payment_items is None:
        return
    for use in tenders:
        item = items.get(use.internal_id)
        found = payment_items.get(use.internal_id)
        if (
            item is None
            or item.kind != _PAYMENT
            or (found and (found.account or found.payment_method))
        ):
            continue
        yield error(
            AREA,
            f"{use.where}: payment item {use.internal_id} names neither an account nor a payment"
            " method, so it is not known where it posts",
            f"give item {use.internal_id} the tender's clearing account under Lists > Accounting >"
            " Items",
        )


def _accounts_behind(
    uses: Iterable[Use], items: Mapping[str, Item], payment_items: Mapping[str, PaymentItem]
) -> list[Use]:
    found = []
    for use in uses:
        payment, item = payment_items.get(use.internal_id), items.get(use.internal_id)
        account = payment.account if payment else item.account if item else None
        if account is not None:
            where = f"the account of item {use.internal_id} ({use.where})"
            found.append(Use(account, where, use.subsidiaries))
    return found


def _accounts(
    mapping: RefundMapping,
    lists: MasterData,
    reader: Reader,
    behind_items: Iterable[Use],
    subsidiaries: Subsidiaries,
) -> Findings:
    uses = merged([*behind_items, *tender_uses(mapping, "account", subsidiaries)])
    ids = {use.internal_id for use in uses}
    accounts = reader.read("accounts", _ACCOUNTS, lambda: lists.accounts(ids))
    allowed = reader.read(
        "subsidiaries of accounts", _ACCOUNTS, lambda: lists.subsidiaries_of("account", ids)
    )
    if accounts is None or not uses:
        return

    def check() -> Findings:
        for use in uses:
            yield from _account(use, accounts.get(use.internal_id))
            if use.internal_id in accounts:
                yield from unfit(
                    use,
                    what="account",
                    allowed=allowed,
                    subsidiaries=subsidiaries,
                    fix=f"choose another account for {use.where}",
                )

    yield from all_well(check(), f"the {len(ids)} accounts exist and take postings")


def _account(use: Use, account: Account | None) -> Findings:
    fix = f"choose another account for {use.where}"
    if account is None:
        yield error(AREA, f"{use.where}: NetSuite shows no account {use.internal_id}", fix)
    elif not account.is_active:
        yield error(
            AREA,
            f"{use.where}: account {use.internal_id} is inactive",
            f"activate account {use.internal_id} under Lists > Accounting > Accounts, or {fix}",
        )
    elif account.is_summary:
        yield error(
            AREA,
            f"{use.where}: account {use.internal_id} is a summary account, which takes no postings",
            fix,
        )


def _payment_methods(
    mapping: RefundMapping, lists: MasterData, reader: Reader, subsidiaries: Subsidiaries
) -> Findings:
    uses = tender_uses(mapping, "payment_option", subsidiaries)
    if not uses:
        return
    ids = {use.internal_id for use in uses}
    methods = reader.read(
        "payment methods",
        "Setup > Accounting Lists (View)",
        lambda: lists.payment_methods(ids),
    )
    if methods is None:
        return
    for use in uses:
        is_active = methods.get(use.internal_id)
        fix = f"put the internal id of an active payment method into {use.where}"
        if is_active is None:
            # With Payment Instruments an option is not a payment method (contract 9, question 5).
            yield warning(
                AREA, f"{use.where}: {use.internal_id} is not among NetSuite's payment methods", fix
            )
        elif not is_active:
            yield error(AREA, f"{use.where}: payment method {use.internal_id} is inactive", fix)
