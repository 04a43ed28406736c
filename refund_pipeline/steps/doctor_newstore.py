"""Does NewStore let us in, and answer each kind of question the pipeline asks?

It is asked for an order that does not exist: "not there" proves credentials and permissions.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from refund_pipeline.domain.errors import PipelineError, Unavailable
from refund_pipeline.domain.payments import Attribution
from refund_pipeline.gateways.newstore import AccountFailed, NewStore, OrderFailed, RefundFailed
from refund_pipeline.steps.doctor_findings import Finding, Findings, error, not_checked

AREA = "NewStore"
_NOBODY = "00000000-0000-0000-0000-000000000000"
_FIX = (
    "correct NEWSTORE_CLIENT_ID, NEWSTORE_CLIENT_SECRET, NEWSTORE_TOKEN_URL or NEWSTORE_BASE_URL;"
    " for a 403, have the API client permitted to read "
)
_Ask: TypeAlias = Callable[[NewStore], str | None]
"""Returns what is wrong with the answer, None if nothing is."""


def check_newstore(newstore: NewStore, *, asks_refunds: bool) -> Findings:
    """Ask for an order, a payment account and a refund that do not exist.

    `asks_refunds` says whether the mapping has the refund resource asked.
    """
    seen = set[str]()
    for what, permission, ask in _questions(newstore, asks_refunds=asks_refunds):
        try:
            problem = ask(newstore)
        except Unavailable as failure:
            yield error(AREA, str(failure), "try again later; if it stays so, ask NewStore")
            yield not_checked(AREA, "what else NewStore lets us read")
            return
        except PipelineError as failure:
            problem = str(failure)
        if problem is None:
            yield Finding(AREA, f"{what} answers for what does not exist")
        elif problem not in seen:  # a token that is refused is refused for each question
            seen.add(problem)
            yield error(AREA, problem, f"{_FIX}{permission}")
    if not seen:
        told_apart = f"{newstore.attribution.value}: {newstore.attribution_reason}"
        yield Finding(AREA, f"payments are told apart by {told_apart}")


def _questions(newstore: NewStore, *, asks_refunds: bool) -> Iterator[tuple[str, str, _Ask]]:
    """Yield what the pipeline asks: of what, with which permission, and how."""
    yield "GraphQL", "orders", _order
    if not _never_asks_accounts(newstore):
        yield "the REST payment account", "payment accounts", _account
    if asks_refunds:
        yield "the refund resource", "refunds of orders", _refund


def _never_asks_accounts(newstore: NewStore) -> bool:
    try:
        return newstore.attribution is Attribution.GRAPHQL_ONLY
    except PipelineError:  # a finding already
        return False


def _order(newstore: NewStore) -> str | None:
    found = newstore.orders([_NOBODY]).get(_NOBODY)
    return found.detail if isinstance(found, OrderFailed) else None


def _account(newstore: NewStore) -> str | None:
    found = newstore.payment_accounts([_NOBODY])[_NOBODY]
    return found.detail if isinstance(found, AccountFailed) else None


def _refund(newstore: NewStore) -> str | None:
    found = newstore.refund_facts([(_NOBODY, _NOBODY)])[_NOBODY]
    return found.detail if isinstance(found, RefundFailed) else None
