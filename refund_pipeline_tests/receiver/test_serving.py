"""The receiver as a process: how it starts, how it ends, and what keeps it from either."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from refund_pipeline.sandbox.serving import serving
from refund_pipeline_tests.fakes import event_line
from refund_pipeline_tests.receiver.flaky_bucket import FlakyBucket
from refund_pipeline_tests.receiver.receiver_process import (
    KEY,
    Connection,
    ReceiverProcess,
    command,
)

EVENTS = [event_line(number).encode() for number in range(50)]
COMPLETE = {
    "REFUNDS_RECEIVER_KEY": KEY,
    "REFUNDS_TENANT": "demo",
    "REFUNDS_LANDING_URL": "s3://bucket/events",
}


@pytest.fixture
def bucket() -> FlakyBucket:
    return FlakyBucket()


@pytest.fixture
def receiver(bucket: FlakyBucket, tmp_path: Path) -> Iterator[ReceiverProcess]:
    with serving(bucket) as url:
        process = ReceiverProcess(url, tmp_path / "log")
        try:
            process.start()
            yield process
        finally:
            process.close()


def refused(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    others = {name: text for name, text in os.environ.items() if not name.startswith("REFUNDS_")}
    return subprocess.run(  # noqa: S603 - our own code
        command(*options),
        env={**others, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def post(receiver: ReceiverProcess, body: bytes, **headers: str) -> int | None:
    connection = Connection(receiver)
    try:
        return await connection.post(body, headers)
    finally:
        await connection.close()


def test_an_event_is_answered_once_it_is_in_the_bucket(
    receiver: ReceiverProcess, bucket: FlakyBucket
) -> None:
    assert asyncio.run(post(receiver, EVENTS[0])) == 200
    ((key, content),) = bucket.objects.items()
    assert re.fullmatch(r"events/demo/\d{13}-data-[0-9a-f]{16}\.export", key)
    assert content == EVENTS[0] + b"\n"


def test_what_is_refused_before_it_is_read_leaves_the_connection_usable(
    receiver: ReceiverProcess,
) -> None:
    async def twice() -> list[int | None]:
        connection = Connection(receiver)
        first = await connection.post(EVENTS[0], {"Authorization": "Bearer nothing"})
        second = await connection.post(EVENTS[0])
        await connection.close()
        return [first, second]

    assert asyncio.run(twice()) == [401, 200]


def test_asked_to_end_while_it_writes_it_answers_everything_it_accepted(
    receiver: ReceiverProcess, bucket: FlakyBucket
) -> None:
    bucket.before[0] = receiver.terminate

    async def all_at_once() -> list[int | None]:
        return await asyncio.gather(*(post(receiver, event) for event in EVENTS))

    answers = asyncio.run(all_at_once())
    assert receiver.wait() in {0, -signal.SIGTERM}, "it ends by the signal, after it has drained"
    accepted = [event for event, answer in zip(EVENTS, answers, strict=True) if answer == 200]
    assert accepted
    assert set(accepted) == set(b"".join(bucket.objects.values()).splitlines())
    assert set(answers) <= {200, None}, "no answer: the connection came too late to be accepted"
    assert "Traceback" not in receiver.log.read_text()


@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_without_a_setting_the_command_refuses_with_one_sentence(name: str) -> None:
    ended = refused(**{other: text for other, text in COMPLETE.items() if other != name})
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr.splitlines() == [
        f"Error: the receiver does not start: {name} must be set and not be empty"
    ]


def test_a_port_that_is_taken_is_told_with_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = refused("--port", str(port), **COMPLETE)
    assert ended.returncode == 3
    assert re.fullmatch(
        rf"Error: the receiver cannot listen on 127\.0\.0\.1 port {port} .*\n", ended.stderr
    )


def test_any_asgi_server_can_run_the_app_of_the_environment() -> None:
    """uvicorn's own command is one; without a setting it is told why the app does not start."""
    others = {name: text for name, text in os.environ.items() if not name.startswith("REFUNDS_")}
    ended = subprocess.run(
        [sys.executable, "-m", "uvicorn", "refund_pipeline.receiver.app:app", "--port", "0"],
        env={**others, **COMPLETE, "REFUNDS_RECEIVER_KEY": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 3
    assert "REFUNDS_RECEIVER_KEY must be set" in ended.stderr
    assert "Traceback" not in ended.stderr
