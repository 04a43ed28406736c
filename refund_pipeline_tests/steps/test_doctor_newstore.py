"""NewStore is asked for what does not exist, and each kind of answer is told apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.domain.payments import Attribution
from refund_pipeline.gateways.newstore import AccountFailed, NewStore, OrderFailed, RefundFailed
from refund_pipeline.steps.doctor_findings import Finding, Verdict
from refund_pipeline.steps.doctor_newstore import check_newstore

TOKEN_REFUSED = Misconfigured("asking for a NewStore token: NewStore answered 401")


@dataclass
class FakeAnswers:
    """Answers everything with "not there"; `problems` by what is asked are raised instead."""

    attribution: Attribution = Attribution.REST
    attribution_reason: str = "chosen by setting"
    problems: dict[str, Exception] = field(default_factory=dict)
    order: OrderFailed | None = None
    account: AccountFailed | None = None
    refund: RefundFailed | None = None
    asked: list[str] = field(default_factory=list)

    def orders(self, ids: Sequence[str]) -> Mapping[str, OrderFailed]:
        self._ask("orders")
        return {} if self.order is None else {ids[0]: self.order}

    def payment_accounts(self, ids: Sequence[str]) -> Mapping[str, AccountFailed | None]:
        self._ask("accounts")
        return {ids[0]: self.account}

    def refund_facts(self, refunds: Sequence[tuple[str, str]]) -> Mapping[str, RefundFailed | None]:
        self._ask("refunds")
        return {refunds[0][1]: self.refund}

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if what in self.problems:
            raise self.problems[what]


def check(newstore: FakeAnswers, *, asks_refunds: bool = True) -> list[Finding]:
    return list(check_newstore(cast("NewStore", newstore), asks_refunds=asks_refunds))


def test_not_there_is_what_we_want_to_hear() -> None:
    found = check(FakeAnswers())
    assert {one.verdict for one in found} == {Verdict.OK}
    assert "payments are told apart by rest: chosen by setting" in found[-1].what


def test_what_the_pipeline_never_asks_is_not_asked() -> None:
    newstore = FakeAnswers(attribution=Attribution.GRAPHQL_ONLY)
    check(newstore, asks_refunds=False)
    assert newstore.asked == ["orders"]


def test_a_token_that_is_refused_for_each_question_is_one_finding() -> None:
    newstore = FakeAnswers(problems=dict.fromkeys(("orders", "accounts", "refunds"), TOKEN_REFUSED))
    (found,) = check(newstore)
    assert found.verdict is Verdict.ERROR
    assert found.what == str(TOKEN_REFUSED)


def test_each_permission_that_is_missing_is_a_finding_of_its_own() -> None:
    newstore = FakeAnswers(
        problems={
            "accounts": Misconfigured("accounts: 403"),
            "refunds": Misconfigured("refunds: 403"),
        }
    )
    good, accounts, refunds = check(newstore)
    assert good.verdict is Verdict.OK
    assert accounts.fix.endswith("permitted to read payment accounts")
    assert refunds.fix.endswith("permitted to read refunds of orders")


def test_answers_that_cannot_be_read_are_findings() -> None:
    newstore = FakeAnswers(
        order=OrderFailed("GraphQL answered errors"),
        account=AccountFailed("NewStore answered 500 for the payment account"),
        refund=RefundFailed("NewStore answered 410 for the refund"),
    )
    assert [one.what for one in check(newstore)] == [
        "GraphQL answered errors",
        "NewStore answered 500 for the payment account",
        "NewStore answered 410 for the refund",
    ]


def test_a_newstore_that_stops_answering_is_not_asked_more() -> None:
    newstore = FakeAnswers(problems={"accounts": Unavailable("no answer")})
    good, bad, rest = check(newstore)
    assert (good.verdict, bad.verdict, rest.verdict) == (
        Verdict.OK,
        Verdict.ERROR,
        Verdict.WARNING,
    )
    assert newstore.asked == ["orders", "accounts"]
