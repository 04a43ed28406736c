"""NetSuite: each answer's meaning row by row, and the contract of an `Erp` against the sandbox."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.domain.outcomes import Busy, Posted, Refused, Uncertain, differences
from refund_pipeline.gateways.http import Http, RetryPolicy
from refund_pipeline.gateways.netsuite import NetSuite
from refund_pipeline.gateways.netsuite_auth import (
    Authenticator,
    OAuth2ClientCredentials,
    services_url,
)
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline.sandbox.serving import serving
from refund_pipeline_tests.fakes import transaction

AT_ONCE = RetryPolicy(attempts=3, seconds=5, first_pause=0.0, longest_pause=0.0)
RECORD = "/services/rest/record/v1/cashRefund"


class FakeAuthenticator(Authenticator):
    """Counts renewals; every refused token gives way to the next."""

    def __init__(self) -> None:
        self.renewals = 0

    def headers(self):
        return {"Authorization": f"Bearer token-{self.renewals}"}

    def refused(self, headers) -> None:
        self.renewals += 1

    @property
    def requests_made(self) -> int:
        return 0


def error(code: str, detail: str = "", path: str = "") -> dict:
    item = {"detail": detail, "o:errorCode": code}
    return {"o:errorDetails": [{**item, "o:errorPath": path} if path else item]}


def post_to(answer: Response, *, authenticator=None):
    """Post one refund to a NetSuite that always gives `answer`; return outcome and requests."""
    seen = []

    async def respond(request: Request) -> Response:
        seen.append((request.method, request.url.path, dict(request.headers)))
        return answer

    with serving(Starlette(routes=[Route(RECORD, respond, methods=["POST"])])) as url:
        netsuite = NetSuite(
            account="1234567",
            base_url=url,
            authenticator=authenticator or FakeAuthenticator(),
            policy=AT_ONCE,
        )
        return netsuite.post(transaction()), seen


HERE = "https://1234567.suitetalk.api.netsuite.com" + RECORD
ROWS = [
    (Response(status_code=204, headers={"Location": f"{HERE}/90417"}), Posted("90417")),
    (Response(status_code=204), Uncertain("NetSuite answered 204 without an id")),
    (
        JSONResponse(error("USER_ERROR", "This record already exists."), 400),
        Refused("USER_ERROR already exists"),
    ),
    (
        JSONResponse(error("INVALID_CONTENT", "John Doe", "item.items[0].item"), 400),
        Refused("INVALID_CONTENT at item.items[0].item"),
    ),
    (JSONResponse(error("not a code; John Doe"), 400), Refused("no code")),
    (JSONResponse({}, 400), Refused("NetSuite answered 400 without a reason")),
    (JSONResponse(error("CONFLICT"), 409), Refused("CONFLICT")),
    (Response("<html>", 400), Uncertain("NetSuite answered 400")),
    (JSONResponse(error("CONCURRENCY_LIMIT_EXCEEDED"), 429), Busy(None)),
    (Response("not json", 429, {"Retry-After": "7"}), Busy(7.0)),
    (JSONResponse(error("SSS_REQUEST_LIMIT_EXCEEDED"), 400), Busy(None)),
    (JSONResponse(error("UNEXPECTED_ERROR"), 500), Uncertain("NetSuite answered 500")),
    (Response("<html>", 502), Uncertain("NetSuite answered 502")),
    (Response("<html>", 503), Uncertain("NetSuite answered 503")),
    (Response(status_code=302, headers={"Location": "http://127.0.0.1:1/"}), None),
]


@pytest.mark.parametrize(
    ("answer", "outcome"), ROWS, ids=lambda value: getattr(value, "status_code", "")
)
def test_each_answer_has_its_meaning_and_a_write_is_sent_once(answer, outcome) -> None:
    found, seen = post_to(answer)
    assert found == (outcome or Uncertain("NetSuite answered 302"))
    assert len(seen) == 1


@pytest.mark.parametrize("status", [403, 404, 405, 415])
def test_an_answer_about_our_setup_stops_the_batch(status: int) -> None:
    with pytest.raises(Misconfigured, match=str(status)):
        post_to(Response(status_code=status))


def test_a_refused_token_is_renewed_once_and_then_it_is_the_setup() -> None:
    authenticator = FakeAuthenticator()
    with pytest.raises(Misconfigured, match="access token"):
        post_to(Response(status_code=401), authenticator=authenticator)
    assert authenticator.renewals == 1


def test_a_refused_connection_was_never_sent() -> None:
    netsuite = NetSuite(
        account="1234567", base_url="http://127.0.0.1:1", authenticator=FakeAuthenticator()
    )
    with pytest.raises(Unavailable):
        netsuite.post(transaction())


def test_every_write_demands_strict_property_checks() -> None:
    _, seen = post_to(Response(status_code=204, headers={"Location": f"{HERE}/1"}))
    headers = seen[0][2]
    assert headers["x-netsuite-propertynamevalidation"] == "Error"
    assert headers["x-netsuite-propertyvaluevalidation"] == "Error"
    assert headers["content-type"] == "application/json"


# --- the contract of an Erp, against the sandbox


@pytest.fixture(scope="module")
def running():
    with NetSuiteSandbox(concurrency_limit=20) as sandbox:
        yield sandbox


def authenticator_of(sandbox: NetSuiteSandbox, **changes) -> OAuth2ClientCredentials:
    values = {
        "account": sandbox.account,
        "base_url": sandbox.base_url,
        "client_id": sandbox.client_id,
        "certificate_id": sandbox.certificate_id,
        "private_key_pem": sandbox.private_key_pem,
        "http": Http("NetSuite", policy=AT_ONCE),
    }
    return OAuth2ClientCredentials(**{**values, **changes})


def client(sandbox: NetSuiteSandbox, *custom_fields: str) -> NetSuite:
    return NetSuite(
        account=sandbox.account,
        base_url=sandbox.base_url,
        authenticator=authenticator_of(sandbox),
        custom_fields=custom_fields,
        policy=AT_ONCE,
    )


def standalone(number: int):
    return dataclasses.replace(transaction(number), created_from=None, entity="501")


def test_a_posted_refund_reads_back_equal_both_ways(running) -> None:
    netsuite, refund = client(running, "custbody_nst_order_number"), standalone(1)
    posted = netsuite.post(refund)
    assert isinstance(posted, Posted)
    by_index = netsuite.find([refund.external_id, refund.refund_id])
    assert list(by_index) == [refund.external_id]
    by_address = netsuite.look_up(refund.external_id)
    for record in (by_index[refund.external_id], by_address):
        assert record.erp_id == posted.erp_id
        assert differences(refund, record) == ()


def test_the_amounts_in_the_erp_are_exact_and_balanced(running) -> None:
    refund = standalone(2)
    posted = client(running).post(refund)
    (stored,) = [one for one in running.cash_refunds() if one.id == posted.erp_id]
    assert [line.amount for line in stored.lines] == [Decimal("12.50"), Decimal("-12.50")]
    assert stored.total == 0
    assert stored.memo == refund.memo


def test_a_refund_of_a_cash_sale_is_made_from_it(running) -> None:
    sale = running.add_cash_sale(
        external_id="SO-77",
        entity="601",
        subsidiary="1",
        location="11",
        currency="USD",
        total=Decimal("50.00"),
        on=date(2026, 11, 20),
    )
    netsuite = client(running)
    (origin,) = netsuite.origins(["SO-77", "SO-78"], fields=["externalid"])["SO-77"]
    assert (origin.kind, origin.erp_id, origin.entity) == ("cash_sale", sale, "601")
    refund = dataclasses.replace(transaction(3), created_from=origin.erp_id, entity=origin.entity)
    posted = netsuite.post(refund)
    (stored,) = [one for one in running.cash_refunds() if one.id == posted.erp_id]
    assert stored.created_from == sale


def test_a_second_write_of_one_external_id_is_refused(running) -> None:
    netsuite, refund = client(running), standalone(4)
    assert isinstance(netsuite.post(refund), Posted)
    assert netsuite.post(refund) == Refused("USER_ERROR already exists")


def test_a_record_of_another_type_under_our_id_is_seen(running) -> None:
    netsuite, refund = client(running), standalone(5)
    running.add_sales_order(
        external_id=refund.external_id,
        entity="601",
        subsidiary="1",
        location="11",
        currency="USD",
        total=Decimal("50.00"),
        on=date(2026, 11, 20),
    )
    record = netsuite.look_up(refund.external_id)
    assert record is not None
    assert differences(refund, record)[0] == "it is a sales_order, not a cash refund"


def test_a_lost_answer_is_uncertain_and_found_by_looking_up(running) -> None:
    netsuite, refund = client(running), standalone(6)
    netsuite.find(["apz-none"])
    running.faults.lose_answers(1)
    assert isinstance(netsuite.post(refund), Uncertain)
    assert netsuite.look_up(refund.external_id) is not None


def test_what_is_not_there_is_absent(running) -> None:
    netsuite = client(running)
    assert netsuite.find(["apz-none"]) == {}
    assert netsuite.look_up("apz-none") is None


def test_a_custom_field_suiteql_does_not_know_is_left_out(running) -> None:
    netsuite, refund = client(running, "custbody_elsewhere"), standalone(7)
    netsuite.post(refund)
    assert differences(refund, netsuite.find([refund.external_id])[refund.external_id]) == ()


def test_many_ids_are_looked_up_in_batches(running) -> None:
    netsuite = client(running)
    netsuite.find(["apz-none"])
    before = netsuite.requests_made
    netsuite.find([f"apz-{number}" for number in range(401)])
    assert netsuite.requests_made - before == 3


def test_the_rendered_body_is_what_is_sent(running) -> None:
    body = client(running).render(standalone(8))
    assert '"rate": 12.50' in body
    assert '"amount": -12.50' in body
    assert '"handlingMode": {\n    "id": "SAVE_ONLY"\n  }' in body


def test_parallel_posts_share_one_token(running) -> None:
    netsuite = client(running)
    before = running.audit.counts.copy()
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(netsuite.post, [standalone(100 + n) for n in range(12)]))
    assert all(isinstance(outcome, Posted) for outcome in outcomes)
    assert netsuite.requests_made == 13
    assert before != running.audit.counts


def test_an_outage_is_unavailable() -> None:
    with NetSuiteSandbox() as sandbox:
        netsuite = client(sandbox)
        sandbox.faults.start_outage()
        with pytest.raises(Unavailable):
            netsuite.find(["apz-1"])
        sandbox.faults.end_outage()
        assert netsuite.find(["apz-1"]) == {}


# --- authentication


def test_refused_credentials_are_the_setup(running) -> None:
    with pytest.raises(Misconfigured, match="invalid_grant"):
        authenticator_of(running, certificate_id="unknown").headers()


def test_a_token_is_cached_and_renewed_before_it_ends(running) -> None:
    now = [1_000_000_000.0]

    async def token(request: Request) -> Response:
        now_serving.append(await request.body())
        return JSONResponse({"access_token": f"t{len(now_serving)}", "expires_in": 3600})

    now_serving: list[bytes] = []
    route = Route("/services/rest/auth/oauth2/v1/token", token, methods=["POST"])
    with serving(Starlette(routes=[route])) as url:
        auth = authenticator_of(running, base_url=url, clock=lambda: now[0])
        with ThreadPoolExecutor(8) as pool:
            barrier = threading.Barrier(8)
            found = list(pool.map(lambda _: barrier.wait() >= 0 and auth.headers(), range(8)))
        assert found == [{"Authorization": "Bearer t1"}] * 8
        now[0] += 3500
        assert auth.headers() == {"Authorization": "Bearer t1"}
        now[0] += 50
        assert auth.headers() == {"Authorization": "Bearer t2"}
        auth.refused({"Authorization": "Bearer t1"})
        assert auth.headers() == {"Authorization": "Bearer t2"}, "another thread renewed it"
    assert auth.requests_made == 2


def test_an_unusable_key_is_the_setup(running) -> None:
    with pytest.raises(Misconfigured, match="private key"):
        authenticator_of(running, private_key_pem="no key").headers()


@pytest.mark.parametrize(
    ("account", "host"),
    [("1234567", "1234567"), ("1234567_SB1", "1234567-sb1"), ("1234567-sb1", "1234567-sb1")],
)
def test_the_host_is_derived_from_either_spelling_of_the_account(account, host) -> None:
    assert services_url(account, None) == f"https://{host}.suitetalk.api.netsuite.com/services/rest"


@pytest.mark.parametrize("account", ["evil.example/", "https://x", "a.b", "", "1 2"])
def test_an_account_that_names_another_host_is_refused(account) -> None:
    with pytest.raises(Misconfigured):
        services_url(account, None)


def test_a_base_url_may_end_in_the_services_path() -> None:
    url = "https://example.org/services/rest"
    assert services_url("1", "https://example.org/") == services_url("1", url) == url
