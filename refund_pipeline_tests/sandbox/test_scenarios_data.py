"""The scenarios as data: what their files may say, what is made of them, and how they are played.

That each ends as it says is tested with the whole pipeline, in steps/test_scenarios.py.
"""

import json
import re
import threading
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from refund_pipeline.cli import main
from refund_pipeline.domain.reasons import REASONS
from refund_pipeline.domain.statuses import STATUSES
from refund_pipeline.sandbox.landing import LandingSandbox
from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.newstore_payments import account_body
from refund_pipeline.sandbox.retail import PERSONAL_MARKERS
from refund_pipeline.sandbox.sandbox import run_until_stopped
from refund_pipeline.sandbox.scenarios.library import (
    FOLDER,
    InvalidScenarios,
    UnknownScenario,
    all_scenarios,
    read_scenarios,
    scenarios_named,
)
from refund_pipeline.sandbox.scenarios.listing import page
from refund_pipeline.sandbox.scenarios.staged import StagedScenario
from refund_pipeline.sandbox.scenarios.staging import stage
from refund_pipeline.sandbox.scenarios.timeline import Timeline

ZERO = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
DOCS = Path(__file__).parents[2] / "docs"
SCENARIOS = all_scenarios()
LATE_LEG = "split-tender-late-leg"

GOOD = """
one-tender:
  description: The whole amount goes back to the card
  contract: "4.4"
  refunds:
    - amount: "12.50"
      payments: [{ amount: "12.50" }]
      expected:
        - { at: 5, status: posted, tenders: [{ tender: credit_card/adyen, amount: "12.50" }] }
"""


def staged(name: str, *, seed: int = 7) -> StagedScenario:
    return stage(name, SCENARIOS[name], at=ZERO, seed=seed)


def ids_of(one: StagedScenario) -> set[str]:
    return {refund.refund_id for refund in one.refunds} | {
        text for order in one.orders for text in (order.id, order.number)
    }


# What is documented


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_status_and_reason_is_a_documented_one(name: str) -> None:
    for refund in SCENARIOS[name].refunds:
        for checkpoint in refund.expected:
            assert checkpoint.status in STATUSES | {"rejected"}
            assert checkpoint.reason is None or checkpoint.reason in REASONS


def test_the_page_of_the_documentation_is_that_of_the_files() -> None:
    written = (DOCS / "scenarios.md").read_text(encoding="utf-8")
    assert written == page(SCENARIOS), (
        "write it: python -m refund_pipeline.sandbox.scenarios > docs/scenarios.md"
    )


def test_no_file_holds_a_whole_card_number() -> None:
    for file in FOLDER.glob("*.yaml"):
        assert not re.search(r"\d{8}", file.read_text(encoding="utf-8"))


# What a file may say


def problems(folder: Path, text: str, **others: str) -> list[str]:
    """Return the problems of a file `a.yaml`, and of other files."""
    for name, content in {"a": text, **others}.items():
        (folder / f"{name}.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(InvalidScenarios) as caught:
        read_scenarios(sorted(folder.glob("*.yaml")))
    assert all(f"  - {problem}" in str(caught.value) for problem in caught.value.problems)
    return list(caught.value.problems)


def test_a_good_file_has_no_problem(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD, encoding="utf-8")
    (scenario,) = read_scenarios([tmp_path / "a.yaml"]).values()
    assert scenario.refunds[0].end.tenders[0].amount == Decimal("12.50")


def test_every_problem_of_every_file_is_listed(tmp_path: Path) -> None:
    bad = GOOD.replace('"4.4"', "4.4").replace(
        'amount: "12.50"\n      pay', "amount: 12.5\n      pay"
    )
    assert problems(tmp_path, bad, b="x: {}\n") == [
        "a.yaml: one-tender.contract: input should be a valid string",
        'a.yaml: one-tender.refunds.0.amount: is not an amount in quotes, such as "12.50"',
        "b.yaml: x.description: is missing",
        "b.yaml: x.contract: is missing",
        "b.yaml: x.refunds: is missing",
    ]


@pytest.mark.parametrize(
    ("good", "bad", "problem"),
    [
        ("one-tender:", "One Tender:", "string should match pattern"),
        ("  contract:", "  contrakt: 1\n  contract:", "contrakt: is not a field of a scenario"),
        ("credit_card/adyen", "adyen", "tender: is not a tender, such as credit_card/adyen"),
        ("status: posted", "status: done", "status: input should be 'landed'"),
        ("status: posted", "status: held, reason: overpaid", "tenders belong to status: posted"),
        ("status: posted", "status: posted, reason: overpaid", "a reason belongs to every status"),
        ("at: 5", "at: -5", "greater than or equal to 0"),
        ('amount: "12.50" }] }', 'amount: "12.49" }] }', "tenders sum to 12.49, the refund is"),
        ('- amount: "12.50"', '- amount: "-1"', "is not an amount in quotes"),
        ('[{ amount: "12.50" }]', '[{ amount: "1", account: original }]', "needs an order with an"),
        ('[{ amount: "12.50" }]', '[{ amount: "1", gift_card_last4: "1234" }]', "and only there"),
        ('[{ amount: "12.50" }]', '[{ amount: "1", kind: pay }]', "kind: input should be"),
    ],
)
def test_what_makes_no_sense_is_a_problem(
    tmp_path: Path, good: str, bad: str, problem: str
) -> None:
    (found,) = problems(tmp_path, GOOD.replace(good, bad, 1))
    assert found.startswith("a.yaml: ")
    assert problem in found


@pytest.mark.parametrize(
    ("order", "problem"),
    [
        ("{ kind: web, store: NYC01 }", "a web order has no store"),
        ('{ other_payments: [{ amount: "1" }] }', "say their correlation"),
        ("{ currency: KWD }", "the ERP sandbox has no such currency"),
        ("{ sale: { currency: GBP } }", "the ERP sandbox has no such currency"),
    ],
)
def test_an_order_that_cannot_be_is_a_problem(tmp_path: Path, order: str, problem: str) -> None:
    (found,) = problems(tmp_path, GOOD.replace("  refunds:", f"  order: {order}\n  refunds:"))
    assert problem in found


def test_checkpoints_come_in_the_order_of_their_times(tmp_path: Path) -> None:
    earlier = "        - { at: 5, status: held, reason: overpaid }\n"
    (found,) = problems(tmp_path, GOOD + earlier)
    assert found.endswith("the checkpoints are not in the order of their times")


def test_a_key_given_twice_and_a_name_of_two_files_are_problems(tmp_path: Path) -> None:
    assert problems(tmp_path, GOOD + '  contract: "4.2"\n', b=GOOD) == [
        "a.yaml: line 10: the key contract is given twice",
        "b.yaml: one-tender: another file has this name",
    ]


def test_what_is_not_yaml_is_a_problem(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "one: [")
    assert found.startswith("a.yaml: line 1: is not YAML")


def test_an_unknown_name_is_refused_with_all_there_are() -> None:
    with pytest.raises(UnknownScenario, match="no such scenario: split, late; there are") as caught:
        scenarios_named(["split", LATE_LEG, "late"])
    assert all(f"\n  {name}" in str(caught.value) for name in SCENARIOS)


# What is made of them


def test_the_same_name_and_seed_make_the_same() -> None:
    assert staged(LATE_LEG) == staged(LATE_LEG)


def test_all_scenarios_of_two_seeds_can_stand_side_by_side() -> None:
    made = [ids_of(staged(name, seed=seed)) for name in SCENARIOS for seed in (7, 8)]
    assert len(set[str]().union(*made)) == sum(map(len, made))


def test_a_refund_is_what_its_scenario_says() -> None:
    one = staged(LATE_LEG)
    (order,), (refund,), (event,), (sale,) = one.orders, one.refunds, one.events, one.sales
    payload = json.loads(event.line, parse_float=Decimal)["payload"]
    assert payload["id"] == refund.refund_id == order.refunds[0].id
    assert (payload["amount"], payload["currency"]) == (Decimal("97.02"), "USD")
    assert (event.at, sale.at) == (ZERO + timedelta(seconds=1), ZERO)
    assert (sale.record, sale.order_number, sale.total) == ("cash_sale", order.number, order.total)
    legs = [leg for leg in order.payments if leg.kind == "refund"]
    assert [(leg.provider, leg.amount, leg.correlation_id) for leg in legs] == [
        ("adyen", Decimal("70.40"), refund.refund_id),
        ("stripe", Decimal("26.62"), refund.refund_id),
    ]
    assert [leg.available_at - ZERO for leg in legs] == [timedelta(0), timedelta(seconds=56)]


def test_an_issued_gift_card_has_no_time_and_its_number_in_its_transaction_id() -> None:
    one = staged("gift-card-issued")
    (number,), (order,) = one.card_numbers, one.orders
    account = account_body(order, ZERO)
    issued = account["instruments"][-1]["original_transactions"][0]
    assert number.endswith("4821")
    assert number in issued["transaction_id"]
    assert issued["created_at"] is None
    assert all(number not in event.line for event in one.events)


def test_an_exchange_is_paid_with_store_credit_that_names_the_original_order() -> None:
    one = staged("exchange-paid-in-cash")
    order, original = one.orders
    own, old = (account_body(each, ZERO)["instruments"] for each in (order, original))
    assert [each["id"].startswith(original.id) for each in own] == [True]
    assert own[0]["id"] in [each["id"] for each in old]
    ours = [leg for leg in original.payments if leg.correlation_id == one.refunds[0].refund_id]
    assert [leg.kind for leg in ours] == ["refund", "void"]
    unknown, *_ = staged("exchange-original-unknown").orders
    (plain,) = account_body(unknown, ZERO)["instruments"]
    assert not plain["id"].startswith(unknown.id)


def test_guests_have_nothing_personal_and_others_have() -> None:
    guest = staged("guest-order").orders[0]
    assert (guest.customer_email, guest.customer_name) == (None, None)
    assert {item.shipping_service_level for item in guest.items} == {None}
    other = repr(staged(LATE_LEG))
    assert all(marker in other for marker in ("Testperson", "@example.invalid"))
    assert {"Testperson", "@example.invalid"} <= set(PERSONAL_MARKERS)


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("amount-as-text", lambda payload, _: payload["amount"] == "12.5"),
        ("refund-id-in-capitals", lambda payload, one: payload["id"] == one.refund_id.upper()),
        (
            "refund-id-without-hyphens",
            lambda payload, one: payload["id"] == one.refund_id.replace("-", ""),
        ),
        ("only-mandatory-fields", lambda payload, _: len(payload) == 5),
        ("optional-fields-null", lambda payload, _: list(payload.values()).count(None) == 8),
        ("return-by-event", lambda payload, one: payload["return_id"] == one.refund_id),
        ("return-by-resource", lambda payload, _: "return_id" not in payload),
        ("historical-by-event", lambda payload, _: payload["is_historical"] is True),
        ("historical-by-resource", lambda payload, _: "is_historical" not in payload),
    ],
)
def test_events_are_spelled_as_their_scenario_says(name, spelled) -> None:
    one = staged(name)
    assert spelled(json.loads(one.events[0].line)["payload"], one.refunds[0])


def test_a_duplicate_is_the_same_payload_and_a_conflict_is_not() -> None:
    def payloads(name: str) -> list[object]:
        return [json.loads(event.line)["payload"] for event in staged(name).events]

    first, *again = payloads("duplicate-event")
    assert again == [first, first]
    first, otherwise = payloads("conflicting-event")
    assert otherwise["amount"] == first["amount"] + 1
    assert {**otherwise, "amount": first["amount"]} == first


# How they are played


class Books:
    """Keeps the order numbers of the sales it is given."""

    def __init__(self) -> None:
        self.cash_sales: list[str] = []
        self.sales_orders: list[str] = []

    def add_cash_sale(self, *, external_id: str, **_: object) -> str:
        self.cash_sales.append(external_id)
        return ""

    def add_sales_order(self, *, external_id: str, **_: object) -> str:
        self.sales_orders.append(external_id)
        return ""


class Bucket(LandingSandbox):
    """Keeps what would land."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[tuple[datetime, list[str]]] = []

    def land(self, lines, *, at, **_):
        self.files.append((at, list(lines)))
        return ""


def test_a_timeline_lands_events_and_books_sales_when_they_are_due() -> None:
    late_sale, twice = staged("origin-missing"), staged("duplicate-event")
    newstore, books, bucket = NewStoreSandbox(clock=lambda: ZERO), Books(), Bucket()
    timeline = Timeline([late_sale, twice], newstore=newstore, netsuite=books, landing=bucket)
    newstore.stop()
    assert newstore.order(late_sale.orders[0].id) == late_sale.orders[0]
    moments = []
    while (at := timeline.next_at) is not None:
        moments.append((at - ZERO).total_seconds())
        timeline.play(at)
    assert moments == [0, 1, 60]
    assert books.cash_sales == [twice.orders[0].number, late_sale.orders[0].number]
    assert [len(lines) for _, lines in bucket.files] == [3, 1]
    assert bucket.files[0][1] == [late_sale.events[0].line, *(e.line for e in twice.events[:2])]


def test_nothing_happens_before_its_time_and_nothing_twice() -> None:
    one = staged("web-order")
    newstore, books, bucket = NewStoreSandbox(clock=lambda: ZERO), Books(), Bucket()
    timeline = Timeline([one], newstore=newstore, netsuite=books, landing=bucket)
    newstore.stop()
    timeline.play(ZERO)
    assert (len(books.sales_orders), bucket.files) == (1, [])
    for _ in range(2):
        timeline.play(ZERO + timedelta(hours=1))
    assert (len(books.sales_orders), len(bucket.files)) == (1, 1)


def test_side_by_side_the_smallest_page_is_enough_for_all() -> None:
    newstore = NewStoreSandbox(clock=lambda: ZERO)
    both = [staged("many-items"), staged(LATE_LEG)]
    Timeline(both, newstore=newstore, netsuite=Books(), landing=Bucket())
    newstore.stop()
    assert newstore.page_size == SCENARIOS["many-items"].page_size == 3


# On the command line


def test_the_command_lists_names_and_descriptions() -> None:
    answer = CliRunner().invoke(main, ["sandbox", "--list-scenarios"])
    assert answer.exit_code == 0
    lines = answer.output.splitlines()
    assert [line.split()[0] for line in lines] == list(SCENARIOS)
    assert all(
        line.endswith(one.description) for line, one in zip(lines, SCENARIOS.values(), strict=True)
    )


def test_the_command_refuses_an_unknown_name_and_lists_those_there_are() -> None:
    answer = CliRunner().invoke(main, ["sandbox", "--scenario", "split"])
    assert answer.exit_code == 2
    assert "no such scenario: split" in answer.output
    assert LATE_LEG in answer.output


def test_the_sandbox_lands_only_the_scenarios_named_and_says_what_must_come_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    landed: list[list[str]] = []
    land, stopped = LandingSandbox.land, threading.Event()

    def keep(self, lines, **how):
        landed.append(list(lines))
        stopped.set()
        return land(self, lines, **how)

    monkeypatch.setattr(LandingSandbox, "land", keep)
    printed: list[str] = []
    run_until_stopped(
        scenarios=[LATE_LEG, "duplicate-event"], stopped=stopped, write=printed.append
    )
    ((first, second, again),) = landed
    assert json.loads(again)["payload"] == json.loads(second)["payload"]
    expected = [staged(name) for name in (LATE_LEG, "duplicate-event")]
    assert json.loads(first)["payload"]["id"] == expected[0].refunds[0].refund_id
    text = "\n".join(printed)
    assert f"refund {expected[0].refunds[0].refund_id}: 97.02 USD" in text
    assert "after 5 s: awaiting_payment (payments_incomplete)" in text
    assert "after 90 s: posted" in text
    assert "credit_card/stripe 26.62" in text
