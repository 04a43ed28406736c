"""What every answer of NetSuite means (contract netsuite 5.2, 5.3), by a server that says it."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from refund_pipeline.domain.errors import Misconfigured, PipelineError, Unavailable
from refund_pipeline.domain.outcomes import (
    Busy,
    Posted,
    RecordLine,
    Refused,
    Uncertain,
    differences,
)
from refund_pipeline.domain.transactions import Origin
from refund_pipeline.gateways.http import Answer, RetryPolicy
from refund_pipeline.gateways.netsuite import NetSuite
from refund_pipeline.gateways.netsuite_auth import Authenticator
from refund_pipeline.gateways.netsuite_outcomes import RULES, error_details, outcome, rule_for
from refund_pipeline.gateways.netsuite_suiteql import QueryRefused
from refund_pipeline_tests.fakes import transaction
from refund_pipeline_tests.gateways.scripted_server import (
    DROPPED,
    Reply,
    ScriptedServer,
    closed_port,
    error_reply,
    json_reply,
    scripted_server,
)

AT_ONCE = RetryPolicy(attempts=3, first_pause=0.0, longest_pause=0.0)
CREATED = Reply(204, b"", {"Location": "https://x/services/rest/record/v1/cashRefund/90417"})
HTML = b"<!DOCTYPE html><h1>Erika Mustermann</h1>"
EMPTY = json_reply({"items": [], "hasMore": False})
FIRST_PAGE = ["0", "0", "0"]
"""What a query for lines binds last: where its page begins."""


class NumberedTokens(Authenticator):
    """Gives `token-1` until it is refused, then `token-2`, and so on."""

    refused_hint = "a fresh access token"

    def __init__(self) -> None:
        super().__init__()
        self.number = 1

    def headers(self, method: str, url: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer token-{self.number}"}

    def refused(self, headers: Mapping[str, str]) -> bool:
        assert headers == {"Authorization": f"Bearer token-{self.number}"}
        self.number += 1
        return True

    @property
    def requests_made(self) -> int:
        return 0


@pytest.fixture(scope="module")
def running_server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def server(running_server: ScriptedServer) -> ScriptedServer:
    running_server.say(CREATED)
    return running_server


def netsuite_at(url: str, **changes: Any) -> NetSuite:
    values: dict[str, Any] = {
        "account": "1234567_SB1",
        "base_url": url,
        "authenticator": NumberedTokens(),
        "read_seconds": 5,
        "policy": AT_ONCE,
    }
    return NetSuite(**{**values, **changes})


@pytest.fixture
def netsuite(server: ScriptedServer) -> Iterator[NetSuite]:
    client = netsuite_at(server.url)
    yield client
    client._http.close()


# Posting


def test_a_post_is_strict_signed_json_to_the_cash_refunds(server, netsuite):
    assert netsuite.post(transaction()) == Posted("90417")

    (asked,) = server.seen
    assert (asked.method, asked.path) == ("POST", "/services/rest/record/v1/cashRefund")
    assert asked.query == {}
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["authorization"] == "Bearer token-1"
    assert asked.headers["x-netsuite-propertynamevalidation"] == "Error"
    assert asked.headers["x-netsuite-propertyvaluevalidation"] == "Error"


def test_the_body_is_the_one_of_the_contract(server, netsuite):
    refund = transaction()
    netsuite.post(refund)

    assert json.loads(server.seen[0].body, parse_float=Decimal) == {
        "externalId": refund.external_id,
        "createdFrom": {"id": refund.created_from},
        "customForm": {"id": "131"},
        "entity": {"id": "601"},
        "subsidiary": {"id": "1"},
        "location": {"id": "11"},
        "currency": {"id": "1"},
        "tranDate": "2026-11-20",
        "memo": refund.memo,
        "handlingMode": {"id": "SAVE_ONLY"},
        **dict(refund.custom_fields),
        "item": {
            "items": [
                {
                    "item": {"id": "9001"},
                    "quantity": 1,
                    "rate": Decimal("12.50"),
                    "amount": Decimal("12.50"),
                    "price": {"id": "-1"},
                    "location": {"id": "11"},
                },
                {
                    "item": {"id": "8101"},
                    "amount": Decimal("-12.50"),
                    "location": {"id": "11"},
                },
            ]
        },
    }
    assert b'"rate": 12.50' in server.seen[0].body
    assert b'"amount": -12.50' in server.seen[0].body


def test_a_refund_that_stands_alone_has_no_origin(server, netsuite):
    netsuite.post(replace(transaction(), created_from=None))

    assert "createdFrom" not in server.seen[0].document


def test_only_a_gift_card_line_bears_the_last_digits_of_its_card(server, netsuite):
    refund = replace(transaction(), gift_card_field="custcol_card")
    goodwill, tender = refund.lines
    netsuite.post(replace(refund, lines=(goodwill, replace(tender, gift_card_last4="1234"))))

    lines = server.seen[0].document["item"]["items"]
    assert [line.get("custcol_card") for line in lines] == [None, "1234"]


@pytest.mark.parametrize("amount", ["12.50", "0.10", "1200", "1.2E+3"])
def test_what_is_rendered_is_what_is_posted(server, netsuite, amount):
    refund = transaction()
    lines = tuple(
        replace(line, amount=Decimal(amount).copy_sign(line.amount)) for line in refund.lines
    )
    refund = replace(refund, lines=lines)
    netsuite.post(refund)

    def _exactly(text: str | bytes) -> object:
        return json.loads(text, parse_float=str, parse_int=str, object_pairs_hook=list)

    rendered = netsuite.render(refund)
    assert _exactly(rendered) == _exactly(server.seen[0].body)
    assert "\n  " in rendered
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("location", "outcome"),
    [
        ("https://x/services/rest/record/v1/cashRefund/1", Posted("1")),
        ("https://x/services/rest/record/v1/cashrefund/90417/", Posted("90417")),
        ("/services/rest/record/v1/cashRefund/90417", Posted("90417")),
        ("https://x/services/rest/record/v1/cashSale/1", Uncertain),
        ("https://x/services/rest/record/v1/cashRefund/eid:1", Uncertain),
        ("https://x/services/rest/record/v1/cashRefund/", Uncertain),
        ("", Uncertain),
    ],
)
def test_the_id_comes_from_the_location_or_the_write_is_uncertain(
    server, netsuite, location, outcome
):
    server.say(Reply(204, b"", {"Location": location}))
    came = netsuite.post(transaction())

    assert came == outcome if isinstance(outcome, Posted) else isinstance(came, outcome)


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (
            error_reply(400, "USER_ERROR", "Error. This record already exists."),
            Refused("USER_ERROR already exists"),
        ),
        (
            error_reply(400, "USER_ERROR", "Please enter value(s) for: Location.", "location"),
            Refused("USER_ERROR at location Please enter value(s) for: Location"),
        ),
        (
            error_reply(400, "INVALID_CONTENT", "Invalid value 'X' for item", "item.items[0].item"),
            Refused("INVALID_CONTENT at item.items[0].item"),
        ),
        (
            error_reply(400, "USER_ERROR", "Invalid location reference key 6 for subsidiary 2."),
            Refused("USER_ERROR Invalid location reference key 6 for subsidiary 2"),
        ),
        (
            error_reply(400, "USER_ERROR", "This has a G/L impact in a closed period: Nov 2026."),
            Refused("USER_ERROR closed period"),
        ),
        (error_reply(400, "USER_ERROR", "Inserisci valori per: Sede"), Refused("USER_ERROR")),
        (error_reply(400, "RCRD_HAS_BEEN_CHANGED"), Uncertain("NetSuite answered 400")),
        (error_reply(409, "IDEMPOTENCY_ERROR"), Refused("IDEMPOTENCY_ERROR")),
        (error_reply(413, "USER_ERROR"), Refused("USER_ERROR")),
        (Reply(400, b"{}"), Refused("NetSuite answered 400 without a reason")),
        (Reply(400, b"[]"), Refused("NetSuite answered 400 without a reason")),
        (Reply(400, b'{"o:errorDetails": {}}'), Refused("NetSuite answered 400 without a reason")),
        (Reply(400, b'{"o:errorDetails": [7, {}]}'), Refused("no code")),
        (error_reply(429, "CONCURRENCY_LIMIT_EXCEEDED"), Busy(None)),
        (Reply(429, b"not even JSON", {"Retry-After": "7"}), Busy(7.0)),
        (Reply(429, b"{}", {"Retry-After": "999"}), Busy(30.0)),
        (error_reply(400, "SSS_REQUEST_LIMIT_EXCEEDED"), Busy(None)),
        (error_reply(400, "CONCURRENCY_LIMIT_EXCEEDED"), Busy(None)),
        (error_reply(500, "UNEXPECTED_ERROR", "Error ID: x"), Uncertain("NetSuite answered 500")),
        *[
            (Reply(status, HTML), Uncertain(f"NetSuite answered {status}"))
            for status in (200, 201, 202, 400, 409, 500, 502, 503, 504)
        ],
        (Reply(200, b"{}"), Uncertain("NetSuite answered 200")),
    ],
)
def test_each_answer_to_a_post_has_one_meaning_and_the_post_is_not_repeated(
    server, netsuite, reply, outcome
):
    server.say(reply)

    assert netsuite.post(transaction()) == outcome
    assert len(server.seen) == netsuite.requests_made == 1


@pytest.mark.parametrize("status", [302, 307, 403, 404, 405, 415])
@pytest.mark.parametrize("body", [b"{}", HTML])
def test_a_fault_of_our_own_set_up_stops_everything(server, netsuite, status, body):
    server.say(Reply(status, body))
    with pytest.raises(Misconfigured, match=f"answered {status}"):
        netsuite.post(transaction())

    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("code", "path"),
    [
        ("INVALID_REQUEST", ""),
        ("INVALID_PARAMETER", ""),
        ("INVALID_CONTENT", "custbody_misspelled"),
        ("INVALID_CONTENT", "item.items[1].custcol_misspelled"),
        ("INVALID_CONTENT", "externalId"),
        ("INVALID_CONTENT", "paymentOption"),
    ],
)
def test_what_would_be_refused_for_every_refund_stops_everything(server, netsuite, code, path):
    server.say(error_reply(400, code, "Non è valido", path))
    with pytest.raises(Misconfigured, match=code):
        netsuite.post(transaction())


def test_one_error_about_the_set_up_among_others_stops_everything(server, netsuite):
    details = [
        {"o:errorCode": "USER_ERROR", "o:errorPath": "entity"},
        {"o:errorCode": "INVALID_CONTENT", "o:errorPath": "item.items[0].custcol_misspelled"},
    ]
    server.say(json_reply({"o:errorDetails": details}, 400))
    with pytest.raises(Misconfigured, match="a property the set-up decides"):
        netsuite.post(transaction())


@pytest.mark.parametrize("status", [300, 399, 401])
def test_answers_of_another_data_centre_and_to_bad_credentials_stop_everything(status):
    with pytest.raises(Misconfigured, match=f"answered {status}"):
        outcome(Answer(status, {}, {}, is_json=True))


def test_an_error_does_not_show_its_text():
    (error,) = error_details(Answer(400, {}, json_error("Erika"), is_json=True))
    assert error.text == "Erika"
    assert "Erika" not in repr(error)


def json_error(text):
    return {"o:errorDetails": [{"o:errorCode": "USER_ERROR", "detail": text}]}


def json_body(rule, plain):
    """Return an error that fits a row's codes and path, as far as it has any."""
    path = "custbody_x" if rule.path else ""
    if not rule.codes:
        return plain
    return {"o:errorDetails": [{"o:errorCode": min(rule.codes), "o:errorPath": path}]}


def test_every_row_of_the_table_can_decide():
    errors = {"o:errorDetails": [{"o:errorCode": "USER_ERROR"}]}
    answers = [
        Answer(status, {}, json_body(rule, errors), is_json=rule.is_json is not False)
        for rule in RULES
        for status in rule.statuses
    ]
    assert {rule_for(answer).what for answer in answers} == {rule.what for rule in RULES}


def test_a_refusal_of_several_errors_shows_each(server, netsuite):
    details = [
        {"detail": "Please enter value(s) for: Location.", "o:errorCode": "USER_ERROR"},
        {"detail": "Unknown", "o:errorCode": "INVALID_CONTENT", "o:errorPath": "memo"},
    ]
    server.say(json_reply({"o:errorDetails": details}, 400))

    assert netsuite.post(transaction()) == Refused(
        "USER_ERROR Please enter value(s) for: Location; INVALID_CONTENT at memo"
    )


def test_nothing_netsuite_quotes_of_our_data_is_shown_or_logged(server, netsuite, caplog):
    refund = transaction()
    quoted = f"{refund.memo} Erika Mustermann erika@example.com {refund.external_id}"
    details = [
        {"detail": f"{quoted} already exists {quoted}", "o:errorCode": "USER_ERROR"},
        {"detail": quoted, "o:errorCode": quoted, "o:errorPath": quoted},
        {"detail": f"Please enter value(s) for: Entity. {quoted}", "o:errorCode": "USER_ERROR"},
    ]
    server.say(json_reply({"title": quoted, "o:errorDetails": details}, 400))
    with caplog.at_level(logging.DEBUG):
        outcome = netsuite.post(refund)

    assert outcome == Refused(
        "USER_ERROR already exists; no code; USER_ERROR Please enter value(s) for: Entity"
    )
    for secret in ("Erika", "erika@example.com", refund.order_number, "token-1"):
        assert secret not in caplog.text


def test_a_lost_answer_is_uncertain_and_not_repeated(server, netsuite):
    server.say(DROPPED)

    outcome = netsuite.post(transaction())
    assert isinstance(outcome, Uncertain)
    assert transaction().memo not in outcome.detail
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "url", [closed_port(), "https://nobody.invalid"], ids=["refused", "unknown host"]
)
def test_without_a_connection_nothing_was_posted(url):
    with pytest.raises(Unavailable, match=transaction().refund_id) as raised:
        netsuite_at(url).post(transaction())

    assert transaction().memo not in str(raised.value)


# 401


def test_a_refused_token_is_renewed_once_for_a_post(server, netsuite):
    server.say(error_reply(401, "INVALID_LOGIN"), CREATED)

    assert netsuite.post(transaction()) == Posted("90417")
    tokens = [seen.headers["authorization"] for seen in server.seen]
    assert tokens == ["Bearer token-1", "Bearer token-2"]
    assert server.seen[0].body == server.seen[1].body


def test_a_refused_token_is_renewed_once_for_a_read(server, netsuite):
    server.say(error_reply(401, "INVALID_LOGIN"), EMPTY)

    assert netsuite.find(["apz-1"]) == {}
    tokens = [seen.headers["authorization"] for seen in server.seen]
    assert tokens == ["Bearer token-1", "Bearer token-2"]


@pytest.mark.parametrize(
    "call",
    [
        lambda netsuite: netsuite.post(transaction()),
        lambda netsuite: netsuite.find(["apz-1"]),
        lambda netsuite: netsuite.look_up("apz-1"),
        lambda netsuite: netsuite.origins(["SO-1"], fields=["externalid"]),
    ],
    ids=["post", "find", "look_up", "origins"],
)
def test_a_fresh_token_that_is_refused_stops_everything(server, netsuite, call):
    server.say(error_reply(401, "INVALID_LOGIN"))
    with pytest.raises(Misconfigured, match="fresh access token") as raised:
        call(netsuite)

    assert len(server.seen) == 2
    assert "token-" not in str(raised.value)


# Reading


READS = pytest.mark.parametrize(
    "read",
    [
        lambda netsuite: netsuite.find(["apz-1"]),
        lambda netsuite: netsuite.look_up("apz-1"),
        lambda netsuite: netsuite.origins(["SO-1"], fields=["externalid"]),
    ],
    ids=["find", "look_up", "origins"],
)


@READS
@pytest.mark.parametrize("reply", [Reply(429), Reply(500, HTML), Reply(503, HTML), DROPPED])
def test_a_read_that_stays_without_an_answer_is_no_empty_result(server, netsuite, read, reply):
    server.say(reply)
    with pytest.raises(Unavailable) as raised:
        read(netsuite)

    assert len(server.seen) == 3
    assert "Erika" not in str(raised.value)


@READS
@pytest.mark.parametrize(
    "reply", [Reply(200, HTML), Reply(200, b"[]"), Reply(200, b"{}"), Reply(204, b""), Reply(302)]
)
def test_an_answer_that_cannot_be_read_is_no_empty_result(server, netsuite, read, reply):
    server.say(reply)
    with pytest.raises(Unavailable):
        read(netsuite)


@READS
@pytest.mark.parametrize("status", [403, 405])
def test_a_role_without_permission_to_read_stops_everything(server, netsuite, read, status):
    server.say(Reply(status))
    with pytest.raises(Misconfigured, match=str(status)):
        read(netsuite)

    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [400, 404])
def test_both_forms_of_not_there_are_not_there(server, netsuite, status):
    server.say(error_reply(status, "NONEXISTENT_ID"), EMPTY)

    assert netsuite.look_up("apz-1") is None
    first, second = server.seen
    assert (first.method, first.path) == ("GET", "/services/rest/record/v1/cashRefund/eid:apz-1")
    assert first.query == {"expandSubResources": "true"}
    assert second.path == "/services/rest/query/v1/suiteql"
    assert second.document["params"] == ["apz-1", *FIRST_PAGE]


def refund_document(**changes: object) -> dict[str, object]:
    refund = transaction()
    lines = [{"item": {"id": line.item}, "amount": float(line.amount)} for line in refund.lines]
    document: dict[str, object] = {
        "id": "90417",
        "externalId": refund.external_id,
        "currency": {"id": refund.currency_id, "refName": "USD"},
        "memo": refund.memo,
        "tranDate": "2026-11-20",
        "taxTotal": 0,
        "item": {"items": lines},
    }
    return {**document, **changes}


def test_a_record_read_back_equals_the_refund_it_was_made_from(server, netsuite):
    server.say(json_reply(refund_document()))
    record = netsuite.look_up(transaction().external_id)

    assert record is not None
    assert (record.erp_id, record.tran_date) == ("90417", date(2026, 11, 20))
    assert differences(transaction(), record) == ()


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"taxTotal": 0.01}, "tax: 0.01"),
        ({"taxTotal": None}, ""),
        ({"taxTotal": "many"}, "tax without a readable amount: 0"),
        ({"currency": {"id": "2"}}, "currency 2"),
        ({"currency": "2"}, "currency"),
        ({"item": None}, "lines []"),
        ({"item": []}, "lines []"),
        ({"item": {"items": [None, 7]}}, "lines [: 0, : 0]"),
        ({"item": {"items": [{"item": {"id": "9001"}, "amount": None}]}}, "9001: 0"),
        ({"item": {"items": [{"item": {"id": "9001"}, "amount": "x"}]}}, "without a readable"),
        ({"memo": None}, "no reference to order"),
        ({"memo": 7}, "no reference to order"),
    ],
)
def test_a_record_that_reads_oddly_differs_and_breaks_nothing(server, netsuite, change, difference):
    server.say(json_reply(refund_document(**change)))
    record = netsuite.look_up(transaction().external_id)

    assert record is not None
    assert difference in "; ".join(differences(transaction(), record))
    assert bool(differences(transaction(), record)) == bool(difference)


# SuiteQL rows


def row(number: int, **changes: object) -> dict[str, object]:
    """Return a line of the record of `transaction()`: 0 is the main line."""
    refund = transaction()
    head: dict[str, object] = {
        "links": [],
        "id": "90417",
        "externalid": refund.external_id,
        "type": "CashRfnd",
        "currency": refund.currency_id,
        "memo": refund.memo,
        "voided": "F",
        "trandate": "2026-11-20",
        "lineid": str(number),
        "mainline": "F" if number else "T",
        "foreignamount": "0",
    }
    if number:
        line = refund.lines[number - 1]
        head |= {"item": line.item, "foreignamount": str(line.amount.normalize())}
    return {**head, **changes}


def page(*rows: object, more: bool = False) -> Reply:
    return json_reply({"items": list(rows), "count": len(rows), "hasMore": more})


def found(netsuite: NetSuite) -> Any:
    return netsuite.find([transaction().external_id]).get(transaction().external_id)


def test_rows_in_any_order_and_number_form_make_the_record(server, netsuite):
    server.say(page(row(2), row(0, id=90417), row(1, foreignamount=12.5, lineid=1)))
    record = found(netsuite)

    assert differences(transaction(), record) == ()
    assert [line.item for line in record.lines] == ["9001", "8101"]


def test_a_query_is_transient_and_binds_its_values(server, netsuite):
    server.say(EMPTY)
    netsuite.find(["apz-1'", "apz-2"])

    (asked,) = server.seen
    assert asked.headers["prefer"] == "transient"
    assert asked.query == {"limit": "1000", "offset": "0"}
    assert asked.document["params"] == ["apz-1'", "apz-2", *FIRST_PAGE]
    assert "apz" not in asked.document["q"]
    assert asked.document["q"].count("?") == 5


def test_nothing_asked_is_nothing_sent(server, netsuite):
    assert netsuite.find([]) == {}
    assert netsuite.origins([], fields=["externalid"]) == {}
    assert netsuite.origins(["SO-1"], fields=[]) == {}
    assert server.seen == []


def test_two_hundred_ids_go_into_one_query(server, netsuite):
    server.say(EMPTY)
    netsuite.find([f"apz-{number}" for number in range(401)])

    params = [seen.document["params"][: -len(FIRST_PAGE)] for seen in server.seen]
    assert [len(batch) for batch in params] == [200, 200, 1]
    assert [value for batch in params for value in batch] == [f"apz-{n}" for n in range(401)]


def test_every_page_is_read_and_a_record_may_lie_on_two(server, netsuite):
    server.say(page(row(0), row(1), more=True), page(row(2)))

    assert differences(transaction(), found(netsuite)) == ()
    first, second = (seen.document["params"][-3:] for seen in server.seen)
    assert (first, second) == (FIRST_PAGE, ["90417", "90417", "1"])
    assert {seen.query["offset"] for seen in server.seen} == {"0"}


def test_a_page_that_promises_more_and_holds_nothing_does_not_go_on_for_ever(server, netsuite):
    server.say(page(more=True))
    with pytest.raises(Unavailable, match="no rows"):
        found(netsuite)

    assert len(server.seen) == 1


def test_a_row_that_is_no_row_is_no_empty_result(server, netsuite):
    server.say(page(row(0), 7))
    with pytest.raises(Unavailable):
        found(netsuite)


def test_the_key_is_the_id_as_asked_for_whatever_its_case_in_netsuite(server, netsuite):
    server.say(page(row(0, externalid="APZ-1")))

    assert set(netsuite.find(["apz-1"])) == {"apz-1"}


@pytest.mark.parametrize(
    ("kind", "meaning"),
    [
        ("CashSale", "cash_sale"),
        ("SalesOrd", "sales_order"),
        ("CustInvc", "invoice"),
        ("CustCred", "credit_memo"),
        ("CustRfnd", "customer_refund"),
        ("CustDep", "customer_deposit"),
        ("Journal", "Journal"),
    ],
)
def test_a_record_of_another_type_under_our_id_is_seen(server, netsuite, kind, meaning):
    server.say(error_reply(404, "NONEXISTENT_ID"), page(row(0, type=kind)))
    record = netsuite.look_up(transaction().external_id)

    assert record is not None
    assert record.kind == meaning
    assert f"it is a {meaning}, not a cash refund" in differences(transaction(), record)


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        (
            {"taxline": "T", "item": "77", "foreignamount": "0.83"},
            [RecordLine("77", Decimal("0.83"))],
        ),
        ({"taxline": "T", "item": "77", "foreignamount": "0"}, []),
        ({"item": "99", "foreignamount": "5"}, [RecordLine("99", Decimal(5))]),
        ({"foreignamount": "5"}, [RecordLine("line without item", Decimal(5))]),
        ({"item": "99", "foreignamount": None}, [RecordLine("99", Decimal(0))]),
        ({"item": "99", "iscogs": "T", "foreignamount": "5"}, []),
        ({"item": "99", "donotdisplayline": "T", "foreignamount": "5"}, []),
        (
            {"item": "99", "foreignamount": "1,50"},
            [RecordLine("99 without a readable amount", Decimal(0))],
        ),
        (
            {"item": "9001", "foreignamount": "NaN"},
            [RecordLine("9001 without a readable amount", Decimal(0))],
        ),
    ],
)
def test_every_line_we_did_not_send_stays_visible(server, netsuite, more, lines):
    extra = {**row(0), "lineid": "3", "mainline": "F", **more}
    server.say(page(row(0), row(1), row(2), extra))
    record = found(netsuite)

    assert list(record.lines[2:]) == lines
    assert bool(differences(transaction(), record)) == bool(lines)


def test_a_voided_record_is_seen(server, netsuite):
    server.say(page(*[row(number, voided="T") for number in range(3)]))

    assert differences(transaction(), found(netsuite)) == ("it is voided",)


# Custom fields


ORDER_FIELD = "custbody_nst_order_number"
REFUSED = error_reply(400, "INVALID_PARAMETER", f"Unknown identifier '{ORDER_FIELD}'.")


def test_a_custom_field_is_read_where_it_can_be(server):
    server.say(page(*[row(n, custbody_nst_order_number="SO-1") for n in range(3)]))
    record = found(netsuite_at(server.url, custom_fields=[ORDER_FIELD]))

    assert record.custom == ((ORDER_FIELD, "SO-1"),)
    assert f"t.{ORDER_FIELD}, " in server.seen[0].document["q"]


@pytest.mark.parametrize("refusals", [[REFUSED], [Reply(500, HTML)] * 3], ids=["400", "500"])
def test_a_custom_field_netsuite_refuses_is_left_out_from_then_on(server, refusals):
    netsuite = netsuite_at(server.url, custom_fields=[ORDER_FIELD, "custbody_other"])
    rows = page(row(0), row(1), row(2))
    server.say(*refusals, EMPTY, *refusals, EMPTY, rows)

    assert differences(transaction(), found(netsuite)) == ()  # by the order number in the memo
    server.say(rows)
    found(netsuite)
    (query,) = [seen.document["q"] for seen in server.seen]
    assert ORDER_FIELD not in query
    assert "t.custbody_other, " in query


def test_a_field_another_thread_has_left_out_meanwhile_is_no_fault(server):
    netsuite = netsuite_at(server.url, custom_fields=[ORDER_FIELD])
    send = netsuite._suiteql._read

    def _while_another_thread_finds(*args: Any, **options: Any) -> Any:
        netsuite._custom_fields = ()
        return send(*args, **options)

    netsuite._suiteql._read = _while_another_thread_finds
    server.say(REFUSED, EMPTY, REFUSED, page(row(0), row(1), row(2)))

    assert differences(transaction(), found(netsuite)) == ()


def test_an_outage_costs_no_custom_field(server):
    netsuite = netsuite_at(server.url, custom_fields=[ORDER_FIELD])
    server.say(Reply(503, HTML))
    with pytest.raises(Unavailable):
        found(netsuite)
    server.say(EMPTY)
    found(netsuite)

    assert ORDER_FIELD in server.seen[0].document["q"]


def test_a_query_refused_for_another_reason_stops_everything(server):
    netsuite = netsuite_at(server.url, custom_fields=[ORDER_FIELD])
    server.say(REFUSED, EMPTY, EMPTY)
    with pytest.raises(QueryRefused):
        found(netsuite)

    assert len(server.seen) == 3


def test_a_role_without_suiteql_stops_everything(server):
    server.say(error_reply(400, "INVALID_PARAMETER", "Record 'transaction' was not found."))
    for fields in ([], [ORDER_FIELD]):
        with pytest.raises(Misconfigured, match="SuiteAnalytics"):
            found(netsuite_at(server.url, custom_fields=fields))


@pytest.mark.parametrize("name", ["memo", "custbody_x, t.email", "custbody_", "t.externalid", ""])
def test_only_a_field_name_gets_into_a_query(server, netsuite, name):
    with pytest.raises(Misconfigured, match="not a field"):
        netsuite.origins(["SO-1"], fields=[name])
    with pytest.raises(Misconfigured, match="not a field"):
        netsuite_at(server.url, custom_fields=[name])

    assert server.seen == []


# Origins


def sale(number: str, **changes: object) -> dict[str, object]:
    head = {"id": "77", "type": "CashSale", "ordernumber": number, "entity": "601"}
    return {**head, "currency": "1", "voided": "F", "subsidiary": "1", **changes}


def test_an_order_has_the_sales_that_are_not_voided(server, netsuite):
    server.say(
        page(
            sale("SO-1"),
            sale("SO-1", id="78", type="SalesOrd", subsidiary=None),
            sale("SO-2", id="79", voided="T"),
        )
    )

    assert netsuite.origins(["SO-1", "SO-2"], fields=["externalid"]) == {
        "SO-1": [
            Origin("cash_sale", "77", "601", "1", "1"),
            Origin("sales_order", "78", "601", None, "1"),
        ]
    }


def test_the_next_field_is_asked_for_what_the_first_does_not_know(server, netsuite):
    server.say(page(sale("SO-1")), page(sale("SO-2", id="78")))
    origins = netsuite.origins(["SO-1", "SO-2"], fields=["externalid", "otherrefnum", "custbody_x"])

    assert set(origins) == {"SO-1", "SO-2"}
    first, second = server.seen
    assert "t.externalid IN (?, ?)" in first.document["q"]
    assert "t.otherrefnum IN (?)" in second.document["q"]
    assert second.document["params"] == ["SO-2", "0"]


def test_a_failed_read_of_sales_tells_no_order_number(server, netsuite):
    server.say(error_reply(400, "INVALID_PARAMETER", "Failed to parse SQL: SO-1"))
    with pytest.raises(PipelineError) as raised:
        netsuite.origins(["SO-1"], fields=["externalid"])

    assert "SO-1" not in str(raised.value)


# Periods


def period(**changes: object) -> dict[str, object]:
    dates = {"startdate": "2026-11-01", "enddate": "2026-11-30"}
    return {"id": "7", **dates, "closed": "F", "arlocked": "F", "alllocked": "F", **changes}


@pytest.mark.parametrize(
    ("shown", "is_closed"),
    [
        ({}, False),
        ({"closed": "T"}, True),
        ({"arlocked": "T"}, True),
        ({"alllocked": "T"}, True),
        ({"closed": "T", "enddate": "2026-11-19"}, False),
        ({"closed": "T", "startdate": "2026-11-21"}, False),
        ({"closed": "T", "startdate": "2026-11-20", "enddate": "2026-11-20"}, True),
    ],
)
def test_a_date_is_closed_if_its_period_is_closed_or_locked(server, netsuite, shown, is_closed):
    server.say(page(period(**shown)))
    day = date(2026, 11, 20)

    assert netsuite.closed_dates([day]) == ({day} if is_closed else set())


def test_a_period_without_a_date_is_no_open_period(server, netsuite):
    server.say(page(period(closed="T", startdate=None)))
    with pytest.raises(Unavailable, match="no startdate"):
        netsuite.closed_dates([date(2026, 11, 20)])
