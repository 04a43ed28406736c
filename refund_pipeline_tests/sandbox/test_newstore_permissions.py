"""An API client without a permission: 403 in JSON, for that kind of request alone."""

from collections.abc import Iterator

import pytest

from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline_tests.sandbox.newstore_raw_client import ORDER_ID, REFUND_ID, Caller

PATHS = {
    "payment_account": f"/v0/c/payments/accounts/{ORDER_ID}",
    "refunds": f"/v0/d/orders/{ORDER_ID}/refunds/{REFUND_ID}",
}


@pytest.fixture
def newstore() -> Iterator[NewStoreSandbox]:
    with NewStoreSandbox() as running:
        yield running


@pytest.mark.parametrize("forbidden", sorted(PATHS))
def test_what_is_forbidden_is_refused_in_json_and_nothing_else(
    newstore: NewStoreSandbox, forbidden: str
) -> None:
    newstore.forbid(forbidden)
    with Caller(newstore) as caller:
        answers = {kind: caller.get(path) for kind, path in PATHS.items()}
    assert {kind: answer.status_code for kind, answer in answers.items()} == {
        kind: 403 if kind == forbidden else 404 for kind in PATHS
    }
    assert answers[forbidden].json()["error_code"] == "forbidden"


def test_a_permission_can_be_given_back(newstore: NewStoreSandbox) -> None:
    newstore.forbid("refunds")
    newstore.forbid()
    with Caller(newstore) as caller:
        assert caller.get(PATHS["refunds"]).status_code == 404
