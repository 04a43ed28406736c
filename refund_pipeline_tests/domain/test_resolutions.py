"""What a person may decide: which action fits which reason, and what several decisions come to."""

from decimal import Decimal

import pytest

from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.payments import PaymentLine
from refund_pipeline.domain.reasons import REASONS
from refund_pipeline.domain.resolutions import (
    ACTIONS,
    NOTHING_DECIDED,
    Decided,
    Decision,
    InvalidDecision,
    Resolution,
    Tender,
    TenderChoice,
    choices_of,
    decided,
    needs_look_up,
    tender_named,
)
from refund_pipeline_tests.fakes import NOON, example_mapping

MAPPING = example_mapping()
PAYPAL = PaymentLine("paypal", "paypal", Decimal("5.00"), "USD")
KLARNA = PaymentLine("invoice", "klarna", Decimal("2.00"), "USD")
ADYEN = PaymentLine("credit_card", "adyen", Decimal("7.50"), "USD")
AS_CASH = TenderChoice(Tender("paypal", "paypal"), Tender("cash"))
AS_CARD = TenderChoice(Tender("paypal", "paypal"), Tender("credit_card", "adyen"))


def made(*actions: Action | tuple[TenderChoice, ...]) -> list[Resolution]:
    return [
        Resolution(one, "anna", "why", NOON)
        if isinstance(one, Action)
        else Resolution(Action.TENDER, "anna", "why", NOON, one)
        for one in actions
    ]


def test_every_reason_there_is_and_none_have_their_actions() -> None:
    assert set(ACTIONS) == {None, *REASONS}


def test_nothing_decided_changes_nothing() -> None:
    assert decided([]) == NOTHING_DECIDED
    assert not NOTHING_DECIDED.anything


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        ([Action.RETRY], Decided()),
        ([Action.SKIP], Decided()),
        ([Action.STANDALONE], Decided(standalone=True)),
        ([Action.RELEASE], Decided(released=True)),
        ([(AS_CASH,)], Decided(tenders=(AS_CASH,))),
        ([(AS_CASH,), (AS_CARD,)], Decided(tenders=(AS_CARD,))),
        ([Action.STANDALONE, Action.RETRY, Action.RELEASE], Decided(True, True)),
        ([Action.STANDALONE, (AS_CASH,), Action.RELEASE, Action.REOPEN], Decided()),
        ([Action.REOPEN, Action.STANDALONE], Decided(standalone=True)),
    ],
)
def test_decisions_add_up_until_they_are_taken_back(decisions, expected) -> None:
    assert decided(made(*decisions)) == expected


def test_a_line_is_booked_by_the_tender_that_was_chosen_for_it() -> None:
    chosen = Decided(tenders=(AS_CARD,))
    assert chosen.tender_row(PAYPAL, MAPPING).item == "8101"
    assert chosen.tender_row(ADYEN, MAPPING) == MAPPING.tender("credit_card", "adyen", "USD")
    assert NOTHING_DECIDED.tender_row(PAYPAL, MAPPING) is None


def test_a_choice_holds_however_the_tender_is_spelled() -> None:
    spelled = PaymentLine("PayPal", "PAYPAL", Decimal("5.00"), "USD")
    assert Decided(tenders=(AS_CARD,)).choice(spelled) == AS_CARD


def test_a_chosen_row_that_left_the_mapping_books_nothing() -> None:
    rows = tuple(row for row in MAPPING.tenders if row.provider != "adyen")
    mapping = MAPPING.model_copy(update={"tenders": rows})
    assert Decided(tenders=(AS_CARD,)).tender_row(PAYPAL, mapping) is None


@pytest.mark.parametrize(
    ("texts", "lines", "expected"),
    [
        (["cash"], [PAYPAL], {"paypal/paypal": "cash"}),
        (["cash"], [PAYPAL, ADYEN], {"paypal/paypal": "cash"}),
        (["cash"], [ADYEN], {"credit_card/adyen": "cash"}),
        (["cash"], [PAYPAL, KLARNA], {"paypal/paypal": "cash", "invoice/klarna": "cash"}),
        (["Paypal/PayPal = credit_card/Adyen"], [PAYPAL], {"paypal/paypal": "credit_card/Adyen"}),
        (
            ["paypal/paypal=cash", "invoice/klarna=gift_card"],
            [PAYPAL, KLARNA],
            {"paypal/paypal": "cash", "invoice/klarna": "gift_card"},
        ),
        (["credit_card/adyen=cash"], [ADYEN, PAYPAL], {"credit_card/adyen": "cash"}),
    ],
)
def test_a_tender_is_chosen_for_what_the_mapping_does_not_know(texts, lines, expected) -> None:
    found = choices_of(texts, lines, MAPPING)
    assert {str(choice.paid): str(choice.booked_as) for choice in found} == expected


@pytest.mark.parametrize(
    ("texts", "lines", "problem"),
    [
        (["klarna"], [PAYPAL], "no row of tenders for klarna in USD"),
        (["credit_card"], [PAYPAL], "no row of tenders for credit_card in USD"),
        (["credit_card/other"], [PAYPAL], "no row of tenders for credit_card/other in USD"),
        (["gift_card"], [PaymentLine("paypal", "paypal", Decimal(5), "CHF")], "gift_card in CHF"),
        (["klarna/x=cash"], [PAYPAL], "no money went back by klarna/x; its tenders: paypal/paypal"),
        (["cash"], [ADYEN, PaymentLine("cash", "store", Decimal(1), "USD")], "which of its"),
        (["cash"], [], "its tenders: none yet"),
        (["=cash"], [PAYPAL], "no money went back by ;"),
        ([""], [PAYPAL], "names no tender"),
        (["credit_card/"], [PAYPAL], "names no tender"),
    ],
)
def test_what_fits_neither_refund_nor_mapping_is_no_choice(texts, lines, problem) -> None:
    with pytest.raises(InvalidDecision, match=problem):
        choices_of(texts, lines, MAPPING)


def test_a_tender_s_name_is_its_method_and_where_needed_its_provider() -> None:
    assert tender_named(" cash ") == Tender("cash")
    assert tender_named("credit_card / adyen") == Tender("credit_card", "adyen")
    assert str(tender_named("credit_card/adyen")) == "credit_card/adyen"


def test_the_row_for_the_currency_comes_before_the_general_one() -> None:
    assert Tender("gift_card").row(MAPPING, "EUR").item == "8202"
    assert Tender("cash").row(MAPPING, "EUR").item == "8001"


@pytest.mark.parametrize(
    ("actor", "note"),
    [("", "why"), (" ", "why"), ("anna", ""), ("anna", "\t"), ("an\nna", "why"), ("anna", "a\x00b"),
     ("a" * 101, "why"), ("anna", "w" * 501)],
)  # fmt: skip
def test_a_decision_names_its_actor_and_says_why_in_one_line(actor: str, note: str) -> None:
    with pytest.raises(InvalidDecision, match=r"actor|note"):
        Decision(Action.SKIP, actor, note)


STATES = ("intended", "uncertain", "retry", "held")


@pytest.mark.parametrize("action", Action)
def test_without_a_write_the_erp_need_not_be_asked(action: Action) -> None:
    assert not needs_look_up(action, "unmapped_tender", None)


@pytest.mark.parametrize("action", [Action.SKIP, Action.STANDALONE, Action.TENDER, Action.REOPEN])
def test_once_a_write_was_begun_the_erp_is_asked_before_that_is_decided(action: Action) -> None:
    assert all(needs_look_up(action, "refused_by_erp", state) for state in STATES)


def test_a_retry_asks_where_something_that_ended_is_written_again() -> None:
    assert [state for state in STATES if needs_look_up(Action.RETRY, None, state)] == ["held"]


def test_a_record_known_to_be_another_is_not_looked_for_to_skip_the_refund() -> None:
    assert not needs_look_up(Action.SKIP, "conflicting_erp_record", "held")
    assert needs_look_up(Action.RETRY, "conflicting_erp_record", "held")
