"""The receiver: 200 for what is durable or not asked for, and never a 4xx for a real event."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Send

from refund_pipeline.domain.events import RefundEvent, Rejected, parse_line
from refund_pipeline.receiver.app import AppFromEnvironment, create_app
from refund_pipeline.receiver.settings import ReceiverSettings
from refund_pipeline_tests.fakes import event_line
from refund_pipeline_tests.receiver.asgi import (
    HEADERS,
    KEY,
    NOBODY,
    SETTINGS,
    Answer,
    KeptFiles,
    lifespan,
    request,
    scope,
)

EVENT = event_line(1).encode()
OTHER = EVENT.replace(b"refund_request.issued", b"order.opened")
LARGEST = SETTINGS.limits.body


def post(bucket: KeptFiles, body: bytes | list[bytes] = EVENT, **options: Any) -> Answer:
    settings: ReceiverSettings = options.pop("settings", SETTINGS)
    return asyncio.run(request(create_app(settings, writer=bucket), body, **options))


def headers(**changes: str | None) -> Mapping[str, str]:
    changed = {**HEADERS, **{name.replace("_", "-"): text for name, text in changes.items()}}
    return {name: text for name, text in changed.items() if text is not None}


async def answered(app: ASGIApp, receive: Receive, send: Send) -> None:
    await app(scope(), receive, send)


def limited(**limits: Any) -> ReceiverSettings:
    return replace(SETTINGS, limits=replace(SETTINGS.limits, **limits))


# What is stored


def test_an_event_is_stored_as_it_was_sent_and_answered_200() -> None:
    bucket = KeptFiles()
    answer = post(bucket)
    assert (answer.status, answer.detail) == (200, "stored")
    assert bucket.files == [[EVENT]]


def test_an_event_over_several_lines_is_stored_as_one() -> None:
    bucket = KeptFiles()
    pretty = json.dumps(json.loads(EVENT), indent=1).encode()
    assert post(bucket, b"\r\n" + pretty + b"\r\n").status == 200
    assert bucket.lines == [pretty.replace(b"\n", b" ")]


def test_a_body_in_pieces_is_one_event() -> None:
    bucket = KeptFiles()
    assert post(bucket, [EVENT[:50], b"", EVENT[50:]]).status == 200
    assert bucket.lines == [EVENT]


def test_an_event_of_another_kind_is_answered_200_and_not_stored() -> None:
    bucket = KeptFiles()
    answer = post(bucket, OTHER)
    assert (answer.status, answer.detail) == (200, "not stored: an event of another kind")
    assert bucket.files == []


@pytest.mark.parametrize("events", [{"*"}, {"order.opened", "refund_request.issued"}])
def test_events_of_other_kinds_are_stored_if_they_are_asked_for(events: set[str]) -> None:
    bucket = KeptFiles()
    settings = replace(SETTINGS, events=frozenset(events))
    assert post(bucket, OTHER, settings=settings).status == 200
    assert bucket.lines == [OTHER]


def test_a_name_the_pipeline_takes_for_a_refund_is_stored() -> None:
    bucket = KeptFiles()
    spaced = EVENT.replace(b"refund_request.issued", b" refund_request.issued ")
    assert isinstance(parse_line(spaced, tenant="demo"), RefundEvent)
    assert post(bucket, spaced).status == 200
    assert bucket.lines == [spaced]


def test_a_duplicate_is_answered_200_and_stored_again() -> None:
    bucket = KeptFiles()
    assert [post(bucket).status for _ in range(2)] == [200, 200]
    assert bucket.lines == [EVENT, EVENT]


@pytest.mark.parametrize("changes", [{"tenant": "somebody"}, {"amount": "a lot"}, {"id": None}])
def test_what_the_pipeline_rejects_is_stored_where_it_shows_it(changes: dict[str, Any]) -> None:
    bucket = KeptFiles()
    body = event_line(1, **changes).encode()
    assert post(bucket, body).status == 200
    (line,) = bucket.lines
    assert isinstance(parse_line(line, tenant="demo"), Rejected)


# What is refused, in this order


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/", 404),
        ("POST", "/events/", 404),
        ("POST", "//events", 404),
        ("GET", "/events", 405),
        ("OPTIONS", "/events", 405),
        ("POST", "/healthz", 405),
        ("DELETE", "/nothing", 404),
    ],
)
def test_another_path_or_method_is_refused_before_a_key_is_looked_at(
    method: str, path: str, status: int
) -> None:
    answer = post(KeptFiles(), method=method, path=path, headers=NOBODY)
    assert answer.status == status
    assert answer.detail


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        KEY,
        f"Basic {KEY}",
        f"Bearer{KEY}",
        "Bearer",
        "Bearer ",
        f"Bearer {KEY}x",
        f"Bearer {KEY[:-1]}",
        f"Bearer {KEY.upper()}",
        f"Bearer {KEY} {KEY}",
        "Bearer ÿ\x00",
    ],
)
def test_without_a_valid_key_nothing_of_the_body_is_looked_at(authorization: str | None) -> None:
    bucket = KeptFiles()
    wrong = headers(authorization=authorization, content_type="text/plain")
    answer = post(bucket, b"\xff" * (LARGEST + 1), headers=wrong)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert bucket.files == []


def test_two_authorization_headers_are_none() -> None:
    twice = [(name.encode(), text.encode()) for name, text in HEADERS.items()] * 2
    assert post(KeptFiles(), headers=twice).status == 401


def test_two_keys_are_valid_while_they_are_rotated() -> None:
    settings = replace(SETTINGS, keys=(b"n" * 32, KEY.encode()))
    for key, status in (("n" * 32, 200), (KEY, 200), ("o" * 32, 401)):
        answer = post(
            KeptFiles(), headers=headers(authorization=f"bearer  {key}"), settings=settings
        )
        assert answer.status == status


@pytest.mark.parametrize(
    "media_type", [None, "", "text/plain", "application/x-ndjson", "application/jsonx"]
)
def test_only_json_is_taken(media_type: str | None) -> None:
    too_large = headers(content_type=media_type, content_length=str(LARGEST + 1))
    assert post(KeptFiles(), b"\xff", headers=too_large).status == 415


def test_a_parameter_of_the_media_type_changes_nothing() -> None:
    spelled = headers(content_type="Application/JSON ; charset=utf-8")
    assert post(KeptFiles(), headers=spelled).status == 200


@pytest.mark.parametrize("announced", [str(LARGEST + 1), "9" * 30, "9" * 5_000])
def test_a_body_announced_as_too_large_is_not_read(announced: str) -> None:
    answer = post(KeptFiles(), EVENT, headers=headers(content_length=announced))
    assert (answer.status, answer.headers["connection"]) == (413, "close")


@pytest.mark.parametrize("announced", ["", "-1", "many", "²", "1e3", "+7", str(LARGEST)])
def test_what_announces_nothing_that_is_too_large_is_read(announced: str) -> None:
    assert post(KeptFiles(), headers=headers(content_length=announced)).status == 200


def test_a_body_is_not_read_further_than_it_may_be_large() -> None:
    app = create_app(SETTINGS, writer=KeptFiles())
    taken, sent = [], []

    async def receive() -> Message:
        taken.append(LARGEST // 4)
        return {"type": "http.request", "body": b" " * taken[-1], "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(answered(app, receive, send))
    assert sent[0]["status"] == 413
    assert sum(taken) == LARGEST + LARGEST // 4


def test_a_body_as_large_as_may_be_is_stored() -> None:
    bucket = KeptFiles()
    room = LARGEST - len(event_line(1, note="").encode())
    body = event_line(1, note="x" * room).encode()
    assert len(body) == LARGEST
    assert post(bucket, body).status == 200
    assert bucket.lines == [body]
    assert post(bucket, body + b" ").status == 413


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "the body is not JSON"),
        (b"[]", "the body is not a JSON object"),
        (b"\xff", "the body is not UTF-8"),
        (b"[" * 100_000, "the body is not JSON"),
        (EVENT.replace(b'"tenant"', b'"tenants"'), "tenant is missing"),
        (EVENT.replace(b'"demo"', b"987654321"), "tenant is not a text"),
    ],
)
def test_what_is_no_event_is_400_with_the_field_and_no_value(body: bytes, problem: str) -> None:
    bucket = KeptFiles()
    answer = post(bucket, body)
    assert answer.status == 400
    assert problem in answer.detail
    assert b"987654321" not in answer.body
    assert bucket.files == []


# When the bucket does not take it


def test_without_the_bucket_the_answer_is_500_and_the_event_is_welcome_again() -> None:
    bucket = KeptFiles(failures=1)
    answer = post(bucket)
    assert (answer.status, "send it again" in answer.detail) == (500, True)
    assert post(bucket).status == 200
    assert bucket.lines == [EVENT]


def test_a_defect_while_writing_is_500_at_once() -> None:
    bucket = KeptFiles(failures=1, error=ValueError("Invalid endpoint"))
    assert post(bucket, settings=limited(answer_seconds=3600.0)).status == 500


def test_a_bucket_that_takes_too_long_is_500() -> None:
    bucket = KeptFiles()
    bucket.gate.clear()

    async def late() -> Answer:
        answer = await request(create_app(limited(answer_seconds=0.01), writer=bucket), EVENT)
        bucket.gate.set()
        return answer

    answer = asyncio.run(late())
    assert (answer.status, "in time" in answer.detail) == (500, True)


def test_a_body_that_does_not_arrive_is_500_so_that_it_is_sent_again() -> None:
    app = create_app(limited(body_seconds=0.01), writer=KeptFiles())
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(3600)
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(answered(app, receive, send))
    assert sent[0]["status"] == 500


def test_who_breaks_off_stores_nothing_and_harms_nobody() -> None:
    bucket = KeptFiles()
    assert post(bucket, EVENT, stays=False).status == 400
    assert bucket.files == []


def test_more_than_may_be_in_hand_is_500_for_the_rest_and_all_is_given_back() -> None:
    bucket = KeptFiles()
    bucket.gate.clear()
    # a body counts while it is read and answered, and its line until it is written
    app = create_app(limited(in_hand=20 * len(EVENT)), writer=bucket)

    async def flood() -> list[Answer]:
        under_way = [asyncio.ensure_future(request(app, EVENT)) for _ in range(30)]
        while sum(task.done() for task in under_way) < 20:
            await asyncio.wait(
                [task for task in under_way if not task.done()],
                return_when=asyncio.FIRST_COMPLETED,
            )
        bucket.gate.set()
        first = await asyncio.gather(*under_way)
        return [*first, await request(app, EVENT)]

    *answers, last = asyncio.run(flood())
    statuses = [answer.status for answer in answers]
    assert 1 <= statuses.count(200) <= 10
    assert set(statuses) == {200, 500}
    assert last.status == 200
    assert len(bucket.lines) == statuses.count(200) + 1


# Many at once, starting and stopping


def test_events_that_come_together_are_written_together() -> None:
    bucket = KeptFiles()
    app = create_app(replace(SETTINGS, interval=0.2), writer=bucket)

    async def together() -> list[Answer]:
        return await asyncio.gather(*(request(app, EVENT) for _ in range(500)))

    assert {answer.status for answer in asyncio.run(together())} == {200}
    assert len(bucket.lines) == 500
    assert len(bucket.files) < 50


def test_stopping_writes_what_was_accepted_and_closes_the_bucket() -> None:
    bucket = KeptFiles()
    app = create_app(replace(SETTINGS, interval=3600.0), writer=bucket)

    async def stopped_while_it_waits() -> Answer:
        async with lifespan(app):
            waiting = asyncio.ensure_future(request(app, EVENT))
            for _ in range(20):
                await asyncio.sleep(0)
        return await waiting

    assert asyncio.run(stopped_while_it_waits()).status == 200
    assert (bucket.lines, bucket.is_closed) == ([EVENT], True)


@pytest.mark.parametrize("sends_lifespans", [True, False])
def test_a_host_may_start_and_stop_it_for_every_request_on_loops_of_its_own(
    sends_lifespans: bool,
) -> None:
    bucket = KeptFiles()
    app = create_app(SETTINGS, writer=bucket)

    async def invocation() -> Answer:
        if not sends_lifespans:
            return await request(app, EVENT)
        async with lifespan(app):
            return await request(app, EVENT)

    assert [asyncio.run(invocation()).status for _ in range(3)] == [200] * 3
    assert bucket.lines == [EVENT] * 3


# For the operator


def test_health_needs_no_key_and_counts_what_became_of_the_events() -> None:
    bucket = KeptFiles(failures=1)
    app = create_app(SETTINGS, writer=bucket)

    async def some() -> Answer:
        for body in (EVENT, EVENT, EVENT, OTHER, b"", b"[]"):
            await request(app, body)
        await request(app, EVENT, headers=NOBODY)
        return await request(app, method="GET", path="/healthz", headers=NOBODY)

    answer = asyncio.run(some())
    assert answer.status == 200
    assert json.loads(answer.body)["events"] == {
        "stored": 2,
        "not_stored": 1,
        "refused": 3,
        "failed": 1,
    }


@pytest.mark.parametrize(("is_down", "status"), [(False, 200), (True, 503)])
def test_readiness_is_the_buckets(is_down: bool, status: int) -> None:
    bucket = KeptFiles(is_down=is_down)
    options: dict[str, Any] = {"method": "GET", "headers": NOBODY}
    assert post(bucket, b"", path="/readyz", **options).status == status
    assert post(bucket, b"", path="/healthz", **options).status == 200


def test_the_log_has_a_line_per_request_and_no_body_key_query_or_path_of_strangers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger="refund_pipeline")
    secret = event_line(1, note="secret").encode()
    post(KeptFiles(), secret, query=b"key=secret")
    post(KeptFiles(), secret, path="/events/secret\n200")
    post(KeptFiles(), secret, method="SECRET")
    post(KeptFiles(failures=1), secret)
    post(KeptFiles(), secret.replace(b'"demo"', b'["secret"]'))
    post(KeptFiles(), secret, headers=headers(authorization="Bearer secret"))
    lines = [r.getMessage() for r in caplog.records if r.name.endswith("access_log")]
    statuses = [line.partition(" ms ")[0].rpartition(" ")[0] for line in lines]
    assert statuses == [
        "POST /events 200",
        "POST (another path) 404",
        "(another method) /events 405",
        "POST /events 500",
        "POST /events 400",
        "POST /events 401",
    ]
    assert lines[0].endswith(f" ms {len(secret)} bytes")
    for hidden in ("secret", KEY, "EUR"):
        assert hidden not in caplog.text


# Settings from the environment


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("REFUNDS_RECEIVER_KEY_PREVIOUS", "REFUNDS_RECEIVER_EVENTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REFUNDS_RECEIVER_KEY", KEY)
    monkeypatch.setenv("REFUNDS_LANDING_URL", "s3://bucket/events")
    monkeypatch.setenv("REFUNDS_TENANT", "demo")
    return monkeypatch


def test_the_environment_is_read_when_a_host_first_calls_and_once(
    environment: pytest.MonkeyPatch,
) -> None:
    app = AppFromEnvironment()
    assert asyncio.run(request(app, OTHER)).status == 200
    environment.setenv("REFUNDS_RECEIVER_KEY", "another key, of later")
    assert asyncio.run(request(app, OTHER)).status == 200


def test_a_host_is_told_why_it_does_not_start(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("REFUNDS_RECEIVER_KEY")
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(AppFromEnvironment()({"type": "lifespan"}, receive, send))
    (failed,) = sent
    assert failed["type"] == "lifespan.startup.failed"
    assert "REFUNDS_RECEIVER_KEY must be set" in failed["message"]


def test_without_lifespan_events_every_request_is_500_until_it_is_configured(
    environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    environment.delenv("REFUNDS_TENANT")
    app: ASGIApp = AppFromEnvironment()
    answer = asyncio.run(request(app, EVENT))
    assert (answer.status, "REFUNDS" in answer.detail) == (500, False)
    assert "REFUNDS_TENANT must be set" in caplog.text
    environment.setenv("REFUNDS_TENANT", "demo")
    assert asyncio.run(request(app, OTHER)).status == 200


def test_importing_the_app_reads_nothing_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, refund_pipeline.receiver.app as receiver; assert callable(receiver.app); "
        "print([name for name in ('boto3', 'dagster', 'requests', 'sqlalchemy', 'uvicorn') "
        "if name in sys.modules])"
    )
    found = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={},
    )
    assert found.stdout.strip() == "[]"
