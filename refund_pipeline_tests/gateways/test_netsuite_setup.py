"""Reading the set-up of an account: one login, what the role may read, metadata, currencies."""

from collections.abc import Iterator

import pytest

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.gateways.http import RetryPolicy
from refund_pipeline.gateways.netsuite_metadata import Property
from refund_pipeline.gateways.netsuite_setup import NetSuiteSetup
from refund_pipeline.gateways.netsuite_suiteql import QueryRefused
from refund_pipeline.gateways.netsuite_tba import TokenBasedAuthentication, TokenCredentials
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline_tests.gateways.netsuite_logins import AT_ONCE, BOTH, login
from refund_pipeline_tests.gateways.scripted_server import (
    ScriptedServer,
    error_reply,
    json_reply,
    scripted_server,
)

CATALOG = "/services/rest/record/v1/metadata-catalog"


@pytest.fixture
def sandbox() -> Iterator[NetSuiteSandbox]:
    with NetSuiteSandbox() as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


@pytest.fixture
def scripted(server: ScriptedServer) -> Iterator[NetSuiteSetup]:
    """Return the set-up of an account the scripted server plays; a signature costs no request."""
    credentials = TokenCredentials("consumer", "token", "consumer-secret", "token-secret")
    setup = NetSuiteSetup(
        account="1234567",
        base_url=server.url,
        authenticator=TokenBasedAuthentication(credentials, account="1234567"),
        policy=AT_ONCE,
    )
    yield setup
    setup.close()


def setup_of(sandbox: NetSuiteSandbox, auth: str = "oauth2", **changes: str) -> NetSuiteSetup:
    return NetSuiteSetup(
        account=sandbox.account,
        base_url=sandbox.base_url,
        authenticator=login(sandbox, auth, **changes),
        policy=RetryPolicy(attempts=1),
    )


@pytest.mark.parametrize("auth", BOTH)
def test_a_role_that_may_read_reads_lists_and_records(sandbox: NetSuiteSandbox, auth: str) -> None:
    setup = setup_of(sandbox, auth)
    assert setup.address == sandbox.base_url
    assert [setup.refusal_of(record) for record in ("cashRefund", "salesOrder")] == [None, None]
    assert sandbox.logins.failures == []
    setup.close()


@pytest.mark.parametrize(("auth", "wrong"), [("tba", "token_secret"), ("oauth2", "certificate_id")])
def test_refused_credentials_are_sent_once(sandbox: NetSuiteSandbox, auth: str, wrong: str) -> None:
    setup = setup_of(sandbox, auth, **{wrong: "0" * 64})
    with pytest.raises(Misconfigured, match="NetSuite refuses"):
        setup.refusal_of("cashRefund")
    assert len(sandbox.logins.failures) == 1
    setup.close()


def test_an_empty_list_has_no_record_to_open(
    server: ScriptedServer, scripted: NetSuiteSetup
) -> None:
    server.say(json_reply({"items": []}))
    assert scripted.refusal_of("cashSale") is None
    assert [one.query for one in server.seen] == [{"limit": "1"}]


def test_a_record_the_role_may_list_but_not_open_is_refused(
    server: ScriptedServer, scripted: NetSuiteSetup
) -> None:
    server.say(json_reply({"items": [{"id": "77"}]}), error_reply(403, "INSUFFICIENT_PERMISSION"))
    assert scripted.refusal_of("cashSale") == 403
    assert server.seen[1].path.endswith("/cashSale/77")
    assert server.seen[1].query == {"fields": "tranId"}, "nothing of a customer is asked for"


def test_an_account_that_does_not_answer_is_unavailable(
    server: ScriptedServer, scripted: NetSuiteSetup
) -> None:
    server.say(json_reply({}, 503))
    with pytest.raises(Unavailable, match="answered 503"):
        scripted.refusal_of("cashRefund")
    assert len(server.seen) == 3, "it was worth trying again"


def test_the_metadata_of_a_record_and_its_lines_are_one_request(sandbox: NetSuiteSandbox) -> None:
    setup = setup_of(sandbox)
    body = setup.properties("cashRefund")
    lines = setup.line_properties("cashRefund", "item")
    assert body["custbody_nst_order_number"] == Property("string", is_read_only=False)
    assert {"item", "amount", "custcol_nst_gift_card_last4"} <= set(lines)
    assert sandbox.audit.counts["GET metadata"] == 1
    setup.close()


def test_lines_are_followed_to_their_own_schema(
    server: ScriptedServer, scripted: NetSuiteSetup
) -> None:
    server.say(
        json_reply({"properties": {"item": {"$ref": f"{CATALOG}/cashRefund-itemCollection"}}}),
        json_reply({"properties": {"items": {"items": {"$ref": f"{CATALOG}/cashRefund-item"}}}}),
        json_reply({"properties": {"amount": {"type": "number"}}}),
    )
    assert set(scripted.line_properties("cashRefund", "item")) == {"amount"}
    assert [one.path.removeprefix(f"{CATALOG}/") for one in server.seen] == [
        "cashRefund",
        "cashRefund-itemCollection",
        "cashRefund-item",
    ]


def test_references_in_a_circle_come_to_an_end(
    server: ScriptedServer, scripted: NetSuiteSetup
) -> None:
    circle = {"$ref": f"{CATALOG}/round"}
    server.say(json_reply({"properties": {"item": circle}}), json_reply(circle))
    assert scripted.line_properties("cashRefund", "item") == {}
    assert len(server.seen) == 2


def test_metadata_the_role_may_not_read_are_empty(
    server: ScriptedServer, scripted: NetSuiteSetup
) -> None:
    server.say(error_reply(404, "NONEXISTENT_ID"))
    assert scripted.properties("cashRefund") == {}
    assert scripted.line_properties("cashRefund", "item") == {}


def test_a_customer_s_record_names_all_its_currencies(
    server: ScriptedServer, scripted: NetSuiteSetup
) -> None:
    listed = {"items": [{"currency": {"id": "1"}}, {"currency": {"id": "2"}}, {}]}
    server.say(json_reply({"id": "5", "currency": {"id": "1"}, "currencyList": listed}))
    assert scripted.customer_currencies("5") == frozenset({"1", "2"})
    server.say(error_reply(403, "INSUFFICIENT_PERMISSION"))
    assert scripted.customer_currencies("5") is None


def test_a_column_that_cannot_be_read_is_refused_when_probed(sandbox: NetSuiteSandbox) -> None:
    setup = setup_of(sandbox)
    setup.master_data.probe("transaction", "custbody_nst_order_number")
    with pytest.raises(QueryRefused):
        setup.master_data.probe("transaction", "custbody_unknown")
    setup.close()


def test_what_serves_where_is_told_for_every_entry_asked_for(sandbox: NetSuiteSandbox) -> None:
    setup = setup_of(sandbox)
    found = setup.master_data.subsidiaries_of("location", ["11", "21", "404"])
    assert found == {"11": {"1"}, "21": {"2"}, "404": frozenset()}
    setup.close()
