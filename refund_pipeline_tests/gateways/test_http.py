"""HTTP for the gateways: what is repeated, what is not, and what a message may say."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.gateways.http import (
    Http,
    NoAnswer,
    RetryPolicy,
    checked_base_url,
    exact_json,
)
from refund_pipeline.sandbox.serving import drop_connection, serving

AT_ONCE = RetryPolicy(attempts=3, seconds=5, first_pause=0.0, longest_pause=0.0)


class Server:
    """Answers with what it is given, in order; the last answer stays."""

    def __init__(self, *answers: Response | None) -> None:
        self.answers = list(answers)
        self.seen = 0

    async def __call__(self, request: Request) -> Response:
        self.seen += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            await drop_connection(request.scope)
        return answer or Response()

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/x", self.__call__, methods=["GET", "POST"])])


@pytest.mark.parametrize("failing", [Response(status_code=s) for s in (429, 500, 502, 503, 504)])
def test_a_read_is_tried_again_until_it_is_answered(failing) -> None:
    server = Server(failing, failing, PlainTextResponse("{}"))
    with serving(server.app()) as url:
        assert Http("S", policy=AT_ONCE).read("reading", "GET", f"{url}/x").status == 200
    assert server.seen == 3


def test_a_read_without_an_answer_is_tried_again() -> None:
    server = Server(None, PlainTextResponse("{}"))
    with serving(server.app()) as url:
        assert Http("S", policy=AT_ONCE).read("reading", "GET", f"{url}/x").is_json
    assert server.seen == 2


def test_a_read_that_stays_unanswered_is_unavailable_and_says_what_was_being_done() -> None:
    server = Server(Response("secret body", 503))
    with serving(server.app()) as url, pytest.raises(Unavailable) as caught:
        Http("S", policy=AT_ONCE).read(
            "reading orders", "GET", f"{url}/x", params={"token": "secret"}
        )
    assert "reading orders" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_send_is_never_repeated() -> None:
    server = Server(None)
    with serving(server.app()) as url, pytest.raises(NoAnswer) as caught:
        Http("S", policy=AT_ONCE).send("POST", f"{url}/x", body=b"{}")
    assert server.seen == 1
    assert caught.value.sent


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://no-such-host.invalid/x"])
def test_a_connection_that_was_never_made_sent_nothing(url) -> None:
    with pytest.raises(NoAnswer) as caught:
        Http("S").send("POST", url, body=b"{}")
    assert not caught.value.sent


def test_a_redirect_is_not_followed() -> None:
    elsewhere = Server(PlainTextResponse("{}"))
    with serving(elsewhere.app()) as other:
        server = Server(RedirectResponse(f"{other}/x"))
        with serving(server.app()) as url:
            assert Http("S").send("GET", f"{url}/x").status == 307
    assert elsewhere.seen == 0


@pytest.mark.parametrize("body", ["<html>", '{"a": 1', "", "[" * 100_000])
def test_what_is_not_json_is_said_to_be_none(body) -> None:
    with serving(Server(PlainTextResponse(body)).app()) as url:
        assert not Http("S").send("GET", f"{url}/x").is_json


def test_decimals_arrive_with_their_digits() -> None:
    with serving(Server(PlainTextResponse('{"a": 12.50}')).app()) as url:
        answer = Http("S").send("GET", f"{url}/x")
    assert str(answer.document["a"]) == "12.50"


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9
    )
)
def test_a_decimal_is_written_as_the_number_with_its_digits(amount) -> None:
    text = exact_json({"amount": amount})
    assert json.loads(text, parse_float=Decimal, parse_int=Decimal)["amount"] == amount
    assert "e" not in text.lower().replace("amount", "")


def test_json_is_written_like_the_standard_library_writes_it() -> None:
    value = {"a": [1, True, None, 'ä\n"x'], "b": {}, "c": []}
    assert json.loads(exact_json(value)) == value
    assert json.loads(exact_json(value, indent="\n")) == value


def test_a_float_is_never_written() -> None:
    with pytest.raises(TypeError):
        exact_json({"amount": 0.1})


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org",
        "ftp://example.org",
        "example.org",
        "https://user:word@example.org",
        "https://example.org/?a=b",
        "",
    ],
)
def test_a_base_url_must_be_https_and_plain(url) -> None:
    with pytest.raises(Misconfigured, match="SETTING"):
        checked_base_url(url, name="SETTING")


@pytest.mark.parametrize(
    "url", ["https://example.org/a/", "http://127.0.0.1:8080", "http://localhost"]
)
def test_https_and_plain_http_to_loopback_are_accepted(url) -> None:
    assert checked_base_url(url, name="SETTING") == url.rstrip("/")
