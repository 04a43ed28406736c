"""The NewStore sandbox is as strict as contract/newstore.md, and shows what its clock allows."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
import requests

from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.newstore_model import Poison, RefundRequest, SandboxItem
from refund_pipeline_tests.sandbox.newstore_raw_client import (
    NOON,
    ORDER_ID,
    OTHER_ID,
    REFUND_ID,
    Caller,
    Clock,
    leg,
    order,
)

PLAYBOOK_QUERY = """
query MyQuery {
  order(id: "%s", tenant: "demo") {
    externalId placedAt demandLocationId currency channel channelType
    paymentAccount { instruments { edges { node {
      paymentMethod paymentOrigin paymentProvider
      paymentAccountTransactions { edges { node { amount currency transactionType } } }
    } } } }
    items { edges { node {
      productId quantity pricebookPrice itemDiscounts orderDiscounts tax shippingServiceLevel
      fulfillmentLocationId
    } } }
  }
}
"""


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[NewStoreSandbox, Clock]]:
    clock = Clock()
    with NewStoreSandbox(clock=clock) as newstore:
        yield newstore, clock


@pytest.fixture
def clock(running: tuple[NewStoreSandbox, Clock]) -> Clock:
    running[1].now = NOON
    running[0].faults.end_outage()
    return running[1]


@pytest.fixture
def caller(running: tuple[NewStoreSandbox, Clock], clock: Clock) -> Iterator[Caller]:
    """One server for all tests; every test adds the orders it asks for."""
    caller = Caller(running[0])
    yield caller
    caller.session.close()


def test_a_token_is_given_for_credentials_in_the_form(caller: Caller) -> None:
    answer = caller.token()
    assert answer.status_code == 200
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 300)


def test_a_token_is_given_for_http_basic(caller: Caller) -> None:
    newstore = caller.newstore
    basic = (newstore.client_id, newstore.client_secret)
    form = {"grant_type": "client_credentials", "scope": ""}
    assert requests.post(newstore.token_url, data=form, auth=basic, timeout=5).status_code == 200


def test_a_wrong_secret_is_401_with_json(caller: Caller) -> None:
    answer = caller.token(client_secret="wrong")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_another_grant_is_refused(caller: Caller) -> None:
    answer = caller.token(grant_type="password")
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


def test_credentials_in_the_query_are_refused(caller: Caller) -> None:
    newstore = caller.newstore
    query = {"client_id": newstore.client_id, "client_secret": newstore.client_secret}
    form = {"grant_type": "client_credentials"}
    answer = requests.post(newstore.token_url, params=query, data=form, timeout=5)
    assert answer.status_code == 401


def test_another_realm_does_not_exist(caller: Caller) -> None:
    url = caller.newstore.token_url.replace("/demo/", "/other/")
    assert requests.post(url, timeout=5).status_code == 404


def test_no_authorization_is_401(caller: Caller) -> None:
    del caller.session.headers["Authorization"]
    assert caller.account().status_code == 401


def test_an_unknown_token_is_403_with_json(caller: Caller) -> None:
    caller.session.headers["Authorization"] = "Bearer made-up"
    answer = caller.query("{ __typename }")
    assert answer.status_code == 403
    assert answer.json()["message"]


def test_a_token_dies_when_its_time_has_passed(caller: Caller, clock: Clock) -> None:
    caller.newstore.add_order(order())
    clock.advance(seconds=299)
    assert caller.account().status_code == 200
    clock.advance(seconds=1)
    assert caller.account().status_code == 403


def test_tokens_can_be_made_worthless(caller: Caller) -> None:
    caller.newstore.expire_tokens()
    assert caller.query("{ __typename }").status_code == 403


def test_the_playbook_query_is_answered(caller: Caller) -> None:
    caller.newstore.add_order(order(payments=(leg("capture", "40.10"),)))
    answer = caller.query(PLAYBOOK_QUERY % ORDER_ID).json()
    assert answer == {
        "data": {
            "order": {
                "externalId": "NY000000001",
                "placedAt": "2026-05-01T09:30:15.678",
                "demandLocationId": "NYC01",
                "currency": "USD",
                "channel": "NYC01",
                "channelType": "store",
                "paymentAccount": {
                    "instruments": {
                        "edges": [
                            {
                                "node": {
                                    "paymentMethod": "credit_card",
                                    "paymentOrigin": None,
                                    "paymentProvider": "adyen",
                                    "paymentAccountTransactions": {
                                        "edges": [
                                            {
                                                "node": {
                                                    "amount": "-40.10",
                                                    "currency": "USD",
                                                    "transactionType": "capture",
                                                }
                                            }
                                        ]
                                    },
                                }
                            }
                        ]
                    }
                },
                "items": {
                    "edges": [
                        {
                            "node": {
                                "productId": "SKU-1",
                                "quantity": 1,
                                "pricebookPrice": "40.10",
                                "itemDiscounts": "0",
                                "orderDiscounts": "0",
                                "tax": "3.20",
                                "shippingServiceLevel": "IN_STORE_HANDOVER",
                                "fulfillmentLocationId": None,
                            }
                        }
                    ]
                },
            }
        }
    }


def test_a_field_nobody_documented_is_refused(caller: Caller) -> None:
    answer = caller.query(f'{{ order(id: "{ORDER_ID}", tenant: "demo") {{ storeName }} }}')
    assert answer.status_code == 400
    assert "storeName" in answer.json()["errors"][0]["message"]


def test_a_correlation_id_is_not_shown_by_default(caller: Caller) -> None:
    types = caller.query("{ __schema { types { fields { name } } } }").json()["data"]
    names = {field["name"] for one in types["__schema"]["types"] for field in one["fields"] or []}
    assert "transactionType" in names
    assert "correlationId" not in names


def test_a_correlation_id_is_shown_if_the_sandbox_is_told_to(clock: Clock) -> None:
    with NewStoreSandbox(clock=clock, show_correlation_id=True) as newstore:
        newstore.add_order(order(payments=(leg(),)))
        found = Caller(newstore).order(
            "paymentAccount { transactions { nodes { correlationId } } }"
        )
    assert found["paymentAccount"]["transactions"]["nodes"] == [{"correlationId": REFUND_ID}]


def test_a_variable_of_another_type_is_refused(caller: Caller) -> None:
    query = 'query Q($id: ID!) { order(id: $id, tenant: "demo") { id } }'
    assert caller.query(query, variables={"id": ORDER_ID}).status_code == 400


def test_a_missing_variable_is_refused(caller: Caller) -> None:
    query = 'query Q($id: String!) { order(id: $id, tenant: "demo") { id } }'
    answer = caller.query(query)
    assert (answer.status_code, answer.json()["data"]) == (400, None)


def test_a_body_without_a_query_is_refused(caller: Caller) -> None:
    url = caller.newstore.base_url + "/api/v1/org/data/query"
    assert caller.session.post(url, json=[], timeout=5).status_code == 400
    assert caller.session.post(url, data="{}", timeout=5).status_code == 415


def test_aliases_answer_many_orders_at_once(caller: Caller) -> None:
    caller.newstore.add_order(order())
    caller.newstore.add_order(order(OTHER_ID, number="NY000000002"))
    query = """query Q($a: String!, $b: String!, $t: String!) {
      a: order(id: $a, tenant: $t) { externalId }
      b: order(id: $b, tenant: $t) { externalId }
    }"""
    answer = caller.query(query, variables={"a": ORDER_ID, "b": OTHER_ID, "t": "demo"}).json()
    assert answer["data"] == {
        "a": {"externalId": "NY000000001"},
        "b": {"externalId": "NY000000002"},
    }
    assert caller.newstore.audit.entries[-1].orders == 2


def test_more_than_a_hundred_orders_at_once_are_refused(caller: Caller) -> None:
    fields = " ".join(f'o{n}: order(id: "x", tenant: "demo") {{ id }}' for n in range(101))
    assert caller.query(f"{{ {fields} }}").status_code == 400


def test_orders_are_filtered_by_external_id(caller: Caller) -> None:
    caller.newstore.add_order(order())
    caller.newstore.add_order(order(OTHER_ID, number="NY000000002"))
    query = '{ orders(first: 9, filter: {externalId: {in: ["NY000000002"]}}) { nodes { id } } }'
    assert caller.query(query).json()["data"]["orders"]["nodes"] == [{"id": OTHER_ID}]


def test_an_order_that_graphql_lags_behind_is_null_until_it_is_there(
    caller: Caller, clock: Clock
) -> None:
    caller.newstore.add_order(order(visible_at=NOON + timedelta(seconds=30)))
    assert caller.order("id") is None
    clock.advance(seconds=30)
    assert caller.order("id") == {"id": ORDER_ID}


def test_an_order_of_another_tenant_is_null(caller: Caller) -> None:
    caller.newstore.add_order(order(tenant="other"))
    assert caller.order("id") is None
    answer = caller.query(f'{{ order(id: "{ORDER_ID}", tenant: "other") {{ id }} }}')
    assert answer.json() == {"data": {"order": None}}


def test_an_own_order_is_null_when_asked_for_by_another_tenants_name(caller: Caller) -> None:
    caller.newstore.add_order(order())
    answer = caller.query(f'{{ order(id: "{ORDER_ID}", tenant: "other") {{ id }} }}')
    assert answer.json() == {"data": {"order": None}}


def test_an_account_of_another_tenant_is_404(caller: Caller) -> None:
    caller.newstore.add_order(order(tenant="other"))
    assert caller.account().status_code == 404


def test_a_page_that_fits_exactly_is_the_last_one(caller: Caller) -> None:
    caller.newstore.add_order(order())
    page = caller.order("items(first: 1) { pageInfo { hasNextPage } }")["items"]
    assert page["pageInfo"]["hasNextPage"] is False


def test_times_get_a_zone_by_header(caller: Caller) -> None:
    caller.newstore.add_order(order())
    caller.session.headers["Force-Render-Timezone"] = "true"
    assert caller.order("placedAt") == {"placedAt": "2026-05-01T09:30:15.678Z"}


def test_pages_end_at_the_page_size_and_go_on_after_the_cursor(clock: Clock) -> None:
    items = tuple(SandboxItem(product_id=f"SKU-{n}", price=Decimal(1)) for n in range(5))
    with NewStoreSandbox(clock=clock, page_size=2) as newstore:
        newstore.add_order(order(items=items))
        caller, found, after = Caller(newstore), [], ""
        for _ in range(3):
            fields = (
                f"items(first: 100 {after})"
                " { nodes { productId } pageInfo { hasNextPage endCursor } totalCount }"
            )
            page = caller.order(fields)["items"]
            found.append([node["productId"] for node in page["nodes"]])
            after = f"after: {json.dumps(page['pageInfo']['endCursor'])}"
    assert found == [["SKU-0", "SKU-1"], ["SKU-2", "SKU-3"], ["SKU-4"]]
    assert page["pageInfo"]["hasNextPage"] is False
    assert page["totalCount"] == 5


def test_an_invalid_cursor_is_an_error_with_status_200(caller: Caller) -> None:
    caller.newstore.add_order(order())
    query = (
        f'{{ order(id: "{ORDER_ID}", tenant: "demo") {{ items(after: "?") {{ totalCount }} }} }}'
    )
    answer = caller.query(query)
    assert (answer.status_code, answer.json()["data"]) == (200, {"order": None})
    assert answer.json()["errors"][0]["path"] == ["order", "items"]


def test_a_nested_connection_is_filtered(caller: Caller) -> None:
    caller.newstore.add_order(order(payments=(leg("authorize"), leg("capture"), leg("refund"))))
    wanted = 'transactions(filter: {transactionType: {notIn: ["authorize", "capture"]}})'
    found = caller.order(f"paymentAccount {{ {wanted} {{ nodes {{ transactionType amount }} }} }}")
    nodes = found["paymentAccount"]["transactions"]["nodes"]
    assert nodes == [{"transactionType": "refund", "amount": "-5.00"}]


def test_a_poisoned_order_is_null_with_an_error_and_spares_the_others(caller: Caller) -> None:
    caller.newstore.add_order(order())
    caller.newstore.add_order(order(OTHER_ID))
    caller.newstore.poison(ORDER_ID)
    both = {"a": ORDER_ID, "b": OTHER_ID}.items()
    fields = " ".join(
        f'{alias}: order(id: "{one}", tenant: "demo") {{ id }}' for alias, one in both
    )
    answer = caller.query(f"{{ {fields} }}")
    assert answer.status_code == 200
    assert answer.json()["data"] == {"a": None, "b": {"id": OTHER_ID}}
    assert [error["path"] for error in answer.json()["errors"]] == [["a"]]


def test_an_order_may_fail_the_whole_request(caller: Caller) -> None:
    caller.newstore.add_order(order(poison=Poison.REQUEST))
    answer = caller.query(f'{{ order(id: "{ORDER_ID}", tenant: "demo") {{ id }} }}')
    assert (answer.status_code, answer.json()["data"]) == (200, None)
    caller.newstore.poison(ORDER_ID, None)
    assert caller.order("id") == {"id": ORDER_ID}


def test_the_payment_account_has_the_documented_shape(caller: Caller) -> None:
    caller.newstore.add_order(order(payments=(leg("authorize", "43.30"), leg("refund", "5.00"))))
    answer = caller.account()
    body = json.loads(answer.text, parse_float=Decimal)
    assert body["balance"] == Decimal("43.30")
    assert body["transactions"][0]["correlation_id"] == f"{ORDER_ID}-create"
    assert body["transactions"][0]["debit"] == Decimal("43.30")
    (instrument,) = body["instruments"]
    assert instrument["authorize_amount"] == Decimal("43.3")
    assert instrument["refund_amount"] == Decimal(-5)
    assert set(instrument["original_transactions"][1]) == {
        "transaction_id",
        "instrument_id",
        "payment_method",
        "payment_provider",
        "payment_wallet",
        "reason",
        "capture_amount",
        "refund_amount",
        "currency",
        "correlation_id",
        "created_at",
        "metadata",
    }


@pytest.mark.parametrize(
    ("kind", "reason", "to_capture", "to_refund"),
    [
        ("authorize", "authorization", "5.0", "0.0"),
        ("capture", "capture", "-5.0", "5.0"),
        ("refund", "refund", "0.0", "-5.0"),
        ("issue", "issue", "5.0", "0.0"),
        ("void", "void", "-5.0", "0.0"),
        ("revoke", "revoke", "-5.0", "0.0"),
    ],
)
def test_amounts_of_a_transaction_are_json_numbers_signed_by_kind(
    caller: Caller, kind: str, reason: str, to_capture: str, to_refund: str
) -> None:
    caller.newstore.add_order(order(payments=(leg(kind),)))
    text = caller.account().text
    assert f'"reason":"{reason}","capture_amount":{to_capture},"refund_amount":{to_refund},' in text


def test_amounts_are_exact_where_a_float_is_not(caller: Caller) -> None:
    caller.newstore.add_order(order(payments=(leg("refund", "9007199254740993.01"),)))
    assert '"refund_amount":-9007199254740993.01' in caller.account().text


def test_an_issued_gift_card_has_no_time_and_shows_its_number(caller: Caller) -> None:
    card = {"method": "gift_card", "provider": "gift_card"}
    issued = leg("issue", gift_card_number="6000000000000008", **card)
    caller.newstore.add_order(order(payments=(issued,)))
    (transaction,) = caller.transactions()
    assert transaction["created_at"] is None
    assert transaction["instrument_id"] == f"{ORDER_ID}-{REFUND_ID}"
    assert transaction["transaction_id"] == f"issued:{REFUND_ID}-6000000000000008"
    assert transaction["metadata"] == {"number": "6000000000000008"}


def test_a_gift_card_number_may_be_a_json_number(caller: Caller) -> None:
    caller.newstore.add_order(order(payments=(leg("issue", gift_card_number="6000000000000007"),)))
    assert caller.transactions()[0]["metadata"] == {"gift_card_number": 6000000000000007}


def test_a_refund_over_two_cards_is_two_instruments(caller: Caller) -> None:
    both = (leg(amount="2.00"), leg(amount="3.00", instrument="second card"))
    caller.newstore.add_order(order(payments=both))
    instruments = caller.account().json()["instruments"]
    assert [one["refund_amount"] for one in instruments] == [-2.0, -3.0]
    assert len({one["id"] for one in instruments}) == 2


def test_a_payment_leg_is_in_neither_api_before_its_time(caller: Caller, clock: Clock) -> None:
    late = leg(available_at=NOON + timedelta(seconds=56))
    caller.newstore.add_order(order(payments=(leg("capture"), late)))
    fields = "paymentAccount { transactions { totalCount } }"
    before = (len(caller.transactions()), caller.order(fields)["paymentAccount"])
    clock.advance(seconds=56)
    after = (len(caller.transactions()), caller.order(fields)["paymentAccount"])
    assert before == (1, {"transactions": {"totalCount": 1}})
    assert after == (2, {"transactions": {"totalCount": 2}})


def test_an_account_that_is_not_there_yet_is_null_and_404(caller: Caller, clock: Clock) -> None:
    caller.newstore.add_order(order(account_at=NOON + timedelta(seconds=10)))
    assert caller.order("paymentAccount { __typename }") == {"paymentAccount": None}
    answer = caller.account()
    assert answer.status_code == 404
    assert set(answer.json()) == {"messages", "request_id", "error_code"}
    clock.advance(seconds=10)
    assert caller.account().status_code == 200


def test_an_account_of_an_unknown_order_is_404(caller: Caller) -> None:
    assert caller.account("00000000-0000-4000-8000-000000000000").status_code == 404


def test_refund_requests_of_an_order_are_listed_and_read(caller: Caller) -> None:
    refund = RefundRequest(REFUND_ID, Decimal("5.00"), "USD", NOON, return_id="r-1")
    caller.newstore.add_order(order(refunds=(refund,)))
    listed = caller.get(f"/v0/d/orders/{ORDER_ID}/refunds").json()["refunds"]
    read = caller.get(f"/v0/d/orders/{ORDER_ID}/refunds/{REFUND_ID}").json()["refund"]
    assert listed == [read]
    assert (read["return_id"], read["status"], read["is_historical"]) == ("r-1", "succeeded", False)
    assert caller.get(f"/v0/d/orders/{ORDER_ID}/refunds/other").status_code == 404


def test_an_outage_answers_503_to_everything_until_it_ends(caller: Caller, clock: Clock) -> None:
    caller.newstore.faults.outage_for(8)
    assert (caller.token().status_code, caller.query("{ __typename }").status_code) == (503, 503)
    clock.advance(seconds=8)
    assert caller.query("{ __typename }").status_code == 200


def test_the_token_endpoint_alone_can_be_down(caller: Caller) -> None:
    assert caller.query("{ __typename }").status_code == 200
    caller.newstore.faults.start_outage(tokens_only=True)
    assert (caller.token().status_code, caller.query("{ __typename }").status_code) == (503, 200)
    caller.newstore.faults.end_outage()
    assert caller.token().status_code == 200


def test_the_next_requests_are_limited_with_retry_after(caller: Caller) -> None:
    caller.newstore.faults.too_many_requests(1, retry_after=7)
    answer = caller.query("{ __typename }")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert caller.query("{ __typename }").status_code == 200


def test_a_blocked_address_gets_a_403_that_is_not_json(caller: Caller) -> None:
    caller.newstore.faults.block_address(1)
    answer = caller.account()
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("text/html")


def test_queries_can_fail_as_a_whole_with_status_200(caller: Caller) -> None:
    caller.newstore.faults.fail_queries(1)
    answer = caller.query("{ __typename }")
    assert (answer.status_code, answer.json()["data"]) == (200, None)
    assert answer.json()["errors"]


def test_an_answer_can_be_lost(caller: Caller) -> None:
    caller.newstore.faults.lose_answers(1)
    with pytest.raises(requests.ConnectionError):
        caller.query("{ __typename }")


def test_requests_are_counted_by_kind(caller: Caller) -> None:
    before = caller.newstore.requests
    caller.token()
    caller.account()
    caller.query("{ __typename }")
    caller.get(f"/v0/d/orders/{ORDER_ID}/refunds")
    caller.get("/v0/elsewhere")
    assert caller.newstore.requests - before == {
        "token": 1,
        "payment_account": 1,
        "graphql": 1,
        "refunds": 1,
        "unknown": 1,
    }


def test_a_leg_without_a_time_zone_or_with_a_sign_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        leg(available_at=NOON.replace(tzinfo=None))
    with pytest.raises(ValueError, match="magnitude"):
        leg(amount="-5.00")
