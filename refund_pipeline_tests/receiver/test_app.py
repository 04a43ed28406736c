"""The receiver: 200 only for what is durable or not ours, and never a 4xx for a real event."""

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from starlette.types import ASGIApp

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.domain.events import RefundEvent, Rejected, parse_line
from refund_pipeline.receiver.app import LARGEST_BODY, create_app
from refund_pipeline.receiver.settings import ReceiverSettings
from refund_pipeline_tests.fakes import event_line
from refund_pipeline_tests.receiver.asgi import (
    HEADERS,
    KEY,
    SETTINGS,
    Answer,
    KeptFiles,
    request,
    with_lifespan,
)

EVENT = event_line(1).encode()
OTHER = EVENT.replace(b"refund_request.issued", b"order.created")


def app_of(writer: KeptFiles, settings: ReceiverSettings = SETTINGS) -> ASGIApp:
    return create_app(lambda: settings, writer=lambda _settings: writer)


def post(writer: KeptFiles, body: bytes | list[bytes] = EVENT, **options: Any) -> Answer:
    settings = options.pop("settings", SETTINGS)
    return asyncio.run(request(app_of(writer, settings), body, **options))


def with_header(name: str, value: str | None) -> dict[str, str]:
    changed = {**HEADERS, name: value or ""}
    return {key: text for key, text in changed.items() if key != name or value is not None}


def test_an_event_is_stored_as_it_was_sent_and_answered_200() -> None:
    writer = KeptFiles()
    answer = post(writer)
    assert (answer.status, answer.document) == (200, {"result": "stored"})
    assert writer.files == [[EVENT]]


def test_line_breaks_between_tokens_become_blanks_so_that_an_event_is_a_line() -> None:
    writer = KeptFiles()
    pretty = EVENT.replace(b'", "', b'",\r\n "')
    assert post(writer, b"\n " + pretty + b"\r\n").status == 200
    (line,) = writer.lines
    assert b"\n" not in line
    assert b"\r" not in line
    assert parse_line(line, tenant="demo") == parse_line(EVENT, tenant="demo")


def test_other_events_are_answered_200_and_not_stored() -> None:
    writer = KeptFiles()
    assert post(writer, OTHER).status == 200
    assert writer.files == []


@pytest.mark.parametrize("events", [{"*"}, {"order.created", "refund_request.issued"}])
def test_further_events_are_stored_if_they_are_asked_for(events: set[str]) -> None:
    writer = KeptFiles()
    settings = replace(SETTINGS, events=frozenset(events))
    assert post(writer, OTHER, settings=settings).status == 200
    assert writer.lines == [OTHER]


def test_a_duplicate_is_answered_200_and_stored_again() -> None:
    writer = KeptFiles()
    assert [post(writer).status for _ in range(2)] == [200, 200]
    assert writer.lines == [EVENT, EVENT]


def test_an_event_of_another_tenant_is_stored_where_the_pipeline_shows_it() -> None:
    writer = KeptFiles()
    foreign = event_line(1, tenant="somebody").encode()
    assert post(writer, foreign).status == 200
    assert isinstance(parse_line(writer.lines[0], tenant="demo"), Rejected)


def test_a_refund_nobody_can_use_is_stored_and_refused_by_the_pipeline() -> None:
    writer = KeptFiles()
    assert post(writer, event_line(1, amount="a lot").encode()).status == 200
    assert isinstance(parse_line(writer.lines[0], tenant="demo"), Rejected)


def test_without_the_bucket_the_answer_is_500_so_that_newstore_sends_it_again() -> None:
    writer = KeptFiles(failures=1)
    answer = post(writer)
    assert answer.status == 500
    assert "send the event again" in answer.document["error"]
    assert post(writer).status == 200
    assert writer.lines == [EVENT]


@pytest.mark.parametrize(
    "authorization",
    [None, "", KEY, f"Basic {KEY}", "Bearer", "Bearer ", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}"],
)
def test_without_a_valid_key_nothing_is_read(authorization: str | None) -> None:
    writer = KeptFiles()
    answer = post(writer, headers=with_header("authorization", authorization))
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert writer.files == []


def test_two_keys_are_valid_while_the_key_is_rotated() -> None:
    settings = replace(SETTINGS, keys=("n" * 32, KEY))
    for key, status in (("n" * 32, 200), (KEY, 200), ("o" * 32, 401)):
        headers = with_header("authorization", f"bearer {key}")
        assert post(KeptFiles(), headers=headers, settings=settings).status == status


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/x-ndjson"])
def test_only_json_is_taken(media_type: str | None) -> None:
    assert post(KeptFiles(), headers=with_header("content-type", media_type)).status == 415


def test_a_character_set_beside_the_media_type_does_not_matter() -> None:
    headers = with_header("content-type", "Application/JSON; charset=utf-8")
    assert post(KeptFiles(), headers=headers).status == 200


def test_a_body_that_is_too_large_is_refused_by_its_length_and_while_it_is_read() -> None:
    writer = KeptFiles()
    announced = with_header("content-length", str(LARGEST_BODY + 1))
    assert post(writer, b"x", headers=announced).status == 413
    chunks = [b" " * 300_000] * 4
    assert post(writer, chunks).status == 413
    assert post(writer, [EVENT[:50], EVENT[50:]]).status == 200


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"\xef\xbb\xbf" + EVENT, "not JSON"),
        (EVENT.decode().encode("utf-16"), "not JSON"),
        (EVENT.replace(b"12.50", b"\xff"), "not JSON"),
        (EVENT.replace(b'"12.50"', b"NaN"), "not JSON"),
        (EVENT.replace(b"demo", b"de\nmo"), "not JSON"),
        (b"[]", "not a JSON object"),
        (b"7", "not a JSON object"),
        (EVENT.replace(b'"tenant"', b'"tenants"'), "tenant is not a text"),
        (EVENT.replace(b'"name"', b'"names"'), "name is not a text"),
        (EVENT.replace(b'"demo"', b'" "'), "tenant is not a text"),
        (EVENT.replace(b'"published_at"', b'"published"'), "published_at is not a text"),
        (EVENT.replace(b'"payload"', b'"pay"'), "payload is not an object"),
    ],
)
def test_what_is_no_event_is_400_with_the_field_and_no_value(body: bytes, problem: str) -> None:
    writer = KeptFiles()
    answer = post(writer, body)
    assert (answer.status, problem in answer.document["error"]) == (400, True)
    assert writer.files == []


@pytest.mark.parametrize(
    "odd", [b"1" * 5000, b"1e999999", b'"\\ud800"', b'{"a": 1, "a": 2}', b"[[[[]]]]"]
)
def test_odd_but_valid_json_is_stored_as_it_is(odd: bytes) -> None:
    writer = KeptFiles()
    body = EVENT.replace(b'"12.50"', odd)
    assert post(writer, body).status == 200
    assert writer.lines == [body]
    assert isinstance(parse_line(body, tenant="demo"), (Rejected, RefundEvent))


def test_other_paths_and_methods_are_404_and_405() -> None:
    assert post(KeptFiles(), path="/").status == 404
    assert post(KeptFiles(), method="GET").status == 405


def test_health_needs_no_key_and_readiness_asks_the_bucket() -> None:
    writer = KeptFiles()
    options: dict[str, Any] = {"method": "GET", "headers": {}}
    assert post(writer, b"", path="/healthz", **options).status == 200
    assert post(writer, b"", path="/readyz", **options).status == 200
    writer.is_down = True
    assert post(writer, b"", path="/readyz", **options).status == 503


def test_readiness_is_not_asked_of_the_bucket_by_every_probe() -> None:
    writer = KeptFiles()
    app = app_of(writer)

    async def probes() -> list[int]:
        first = await request(app, method="GET", path="/readyz", headers={})
        writer.is_down = True
        second = await request(app, method="GET", path="/readyz", headers={})
        return [first.status, second.status]

    assert asyncio.run(probes()) == [200, 200]


def test_events_that_come_together_are_written_together() -> None:
    writer = KeptFiles()
    app = app_of(writer, replace(SETTINGS, interval=0.05))

    async def together() -> list[Answer]:
        return list(await asyncio.gather(*(request(app, EVENT) for _ in range(50))))

    assert {answer.status for answer in asyncio.run(together())} == {200}
    assert [len(file) for file in writer.files] == [50]


def test_stopping_writes_what_was_accepted_without_waiting_for_the_interval() -> None:
    writer = KeptFiles()
    app = app_of(writer, replace(SETTINGS, interval=5.0))

    async def stopped_while_waiting() -> Answer:
        async def begun() -> "asyncio.Task[Answer]":
            waiting = asyncio.ensure_future(request(app, EVENT))
            while not waiting.done():
                await asyncio.sleep(0)
                if _is_waiting(app):
                    break
            return waiting

        return await (await with_lifespan(app, begun))

    assert asyncio.run(asyncio.wait_for(stopped_while_waiting(), 4)).status == 200
    assert (writer.lines, writer.closed) == ([EVENT], True)


def _is_waiting(app: Any) -> bool:
    receiver = app._app.router.routes[0].endpoint.__self__
    return receiver._started is not None and receiver._started[2]._open is not None


def test_more_than_may_wait_is_turned_away_with_500() -> None:
    writer = KeptFiles(gate=threading.Event())
    app = app_of(writer)
    large = EVENT.replace(b"12.50", b"1" * 900_000)

    async def flood() -> list[int]:
        first = [asyncio.ensure_future(request(app, large)) for _ in range(90)]
        done: set[asyncio.Future[Answer]] = set()
        while not any(task.result().status == 500 for task in done):
            done, _ = await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        assert writer.gate is not None
        writer.gate.set()
        return [(await task).status for task in first]

    statuses = asyncio.run(flood())
    assert set(statuses) == {200, 500}
    assert len(writer.lines) == statuses.count(200)


def test_the_access_log_tells_no_body_key_or_query(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    post(KeptFiles(), query=b"secret=query")
    post(KeptFiles(), path="/events/secret-path")
    post(KeptFiles(failures=1))
    assert "POST /events 200" in caplog.text
    assert "POST (another path) 404" in caplog.text
    for secret in ("secret", KEY, "12.50"):
        assert secret not in caplog.text


def test_settings_are_read_when_the_host_starts_the_app_or_with_the_first_request() -> None:
    read: list[str] = []

    def settings() -> ReceiverSettings:
        read.append("read")
        return SETTINGS

    app = create_app(settings, writer=lambda _settings: KeptFiles())
    assert read == []

    async def twice() -> None:
        await request(app, EVENT)
        await request(app, EVENT)

    asyncio.run(twice())
    assert read == ["read"]

    async def nothing() -> None:
        assert read == ["read", "read"]

    started = create_app(settings, writer=lambda _settings: KeptFiles())
    asyncio.run(with_lifespan(started, nothing))


def test_an_app_without_its_settings_does_not_start() -> None:
    def missing() -> ReceiverSettings:
        raise Misconfigured("REFUNDS_RECEIVER_KEY is not set")

    app = create_app(missing)
    nothing: Callable[[], Any] = asyncio.sleep
    with pytest.raises((AssertionError, Misconfigured)):
        asyncio.run(with_lifespan(app, nothing))
