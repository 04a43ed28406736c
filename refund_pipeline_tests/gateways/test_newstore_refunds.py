"""What the refund resource adds to an event: returns, imports and failures."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import stamina

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.domain.payments import RefundFacts
from refund_pipeline.gateways.newstore import RefundFailed
from refund_pipeline.gateways.newstore_refunds import read_refund
from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.newstore_model import RefundRequest
from refund_pipeline_tests.fakes import FakeClock
from refund_pipeline_tests.gateways.newstore_makers import PLACED, client_of, order, scripted

REFUND = "5b1c3f7e-0000-4000-8000-00000000abcd"


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
def sandbox() -> Iterator[NewStoreSandbox]:
    with NewStoreSandbox(clock=FakeClock(PLACED).now) as running:
        yield running


def refund(name: str, **changes: Any) -> RefundRequest:
    return RefundRequest(name, Decimal(5), "USD", PLACED, **changes)


def test_the_facts_of_refunds_are_read_by_order_and_refund(sandbox: NewStoreSandbox) -> None:
    sandbox.add_order(order(1, refunds=(refund("r-1"), refund("r-2", return_id="r-2"))))
    sandbox.add_order(
        order(2, refunds=(refund("r-3", is_historical=True), refund("r-4", status="failed")))
    )
    one, two = order(1).id, order(2).id
    with client_of(sandbox) as client:
        found = client.refund_facts(
            [(one, "r-1"), (one, "r-2"), (two, "r-3"), (two, "r-4"), (one, "r-1")]
        )
    assert found == {
        "r-1": RefundFacts(None, is_historical=False, status="succeeded"),
        "r-2": RefundFacts("r-2", is_historical=False, status="succeeded"),
        "r-3": RefundFacts(None, is_historical=True, status="succeeded"),
        "r-4": RefundFacts(None, is_historical=False, status="failed"),
    }
    assert sandbox.requests["refunds"] == 4


def test_a_refund_that_is_not_there_is_none(sandbox: NewStoreSandbox) -> None:
    sandbox.add_order(order(1))
    with client_of(sandbox) as client:
        assert client.refund_facts([(order(1).id, "r-1"), ("nobody", "r-2")]) == {
            "r-1": None,
            "r-2": None,
        }


def test_asking_for_no_refund_asks_nothing(sandbox: NewStoreSandbox) -> None:
    with client_of(sandbox) as client:
        assert client.refund_facts([]) == {}
        assert client.requests_made == 0


def test_ids_cannot_lead_to_another_path() -> None:
    with scripted(lambda path, body: (404, {})) as (client, script):
        assert client.refund_facts([("a/../b", "c?d")]) == {"c?d": None}
        assert script.calls[-1] == "/v0/d/orders/a%2F..%2Fb/refunds/c%3Fd"


def test_a_refund_newstore_refuses_fails_alone() -> None:
    def answer(path: str, body: Any) -> tuple[int, Any]:
        return (422, {"messages": ["no"]}) if path.endswith("bad") else (200, {"refund": {}})

    with scripted(answer) as (client, _):
        assert client.refund_facts([("o", "good"), ("o", "bad")]) == {
            "good": RefundFacts(None, is_historical=False, status=""),
            "bad": RefundFailed("NewStore answered 422 for the refund"),
        }


@pytest.mark.parametrize(("status", "expected"), [(403, Misconfigured), (503, Unavailable)])
def test_no_permission_and_an_outage_stop_the_batch(status: int, expected: type[Exception]) -> None:
    with (
        scripted(lambda path, body: (status, {"message": "no"})) as (client, _),
        pytest.raises(expected, match="reading NewStore's refund r-1"),
    ):
        client.refund_facts([("o", "r-1")])


# How the body is read


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, RefundFacts(None, is_historical=False, status="")),
        (
            {"return_id": None, "is_historical": None, "status": None},
            RefundFacts(None, is_historical=False, status=""),
        ),
        ({"return_id": "", "status": " Succeeded "}, RefundFacts(None, False, "succeeded")),
        ({"return_id": f" {REFUND} "}, RefundFacts(REFUND, is_historical=False, status="")),
        ({"id": REFUND.upper(), "is_historical": True}, RefundFacts(None, True, "")),
        ({"id": REFUND.replace("-", "")}, RefundFacts(None, is_historical=False, status="")),
    ],
)
def test_facts_that_are_missing_or_null_are_nothing_special(
    fields: dict[str, Any], expected: RefundFacts
) -> None:
    assert read_refund({"refund": fields}, refund_id=REFUND) == expected


@pytest.mark.parametrize(
    ("document", "detail"),
    [
        (None, "cannot be read at $"),
        ([], "cannot be read at $"),
        ({}, "cannot be read at $.refund"),
        ({"refund": []}, "cannot be read at $.refund"),
        ({"refund": {"return_id": 5}}, "cannot be read at $.refund.return_id"),
        ({"refund": {"return_id": "a\x00b"}}, "cannot be read at $.refund.return_id"),
        ({"refund": {"is_historical": "perhaps"}}, "cannot be read at $.refund.is_historical"),
        ({"refund": {"status": {}}}, "cannot be read at $.refund.status"),
        ({"refund": {"id": "another"}}, "about another refund"),
    ],
)
def test_a_body_that_cannot_be_read_fails_with_its_path_and_no_value(
    document: Any, detail: str
) -> None:
    found = read_refund(document, refund_id=REFUND)
    assert isinstance(found, RefundFailed)
    assert detail in found.detail
    assert "perhaps" not in found.detail
