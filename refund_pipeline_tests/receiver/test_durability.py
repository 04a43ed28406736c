"""What was answered 200 is in the bucket, however the bucket fails and the process dies.

10,000 webhooks from 200 connections; 5 % of writes fail; the process is killed three times.
"""

import asyncio
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from refund_pipeline.sandbox.serving import serving
from refund_pipeline_tests.fakes import event_line
from refund_pipeline_tests.receiver.flaky_bucket import FlakyBucket

KEY = "durability-test-key-0123"
EVENTS, CONNECTIONS, KILLS = 10_000, 200, 3
SEED = 20261123


class ReceiverProcess:
    """The receiver as a process, on a listening socket that outlives it."""

    def __init__(self, bucket_url: str, log: Path) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._socket.getsockname()[1]
        self._log = log
        self._environment = {
            **os.environ,
            "REFUNDS_RECEIVER_KEY": KEY,
            "REFUNDS_TENANT": "demo",
            "REFUNDS_RECEIVER_INTERVAL": "0.02",  # many files, so that many writes fail
            "REFUNDS_LANDING_URL": "s3://bucket/events",
            "AWS_ENDPOINT_URL": bucket_url,
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        fd = self._socket.fileno()
        code = "from refund_pipeline.cli import main; main()"
        command = [sys.executable, "-c", code, "receiver", "--fd", str(fd)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own code
                command, env=self._environment, pass_fds=[fd], stdout=log, stderr=log
            )

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> str:
        """Ask it to end, and return its log."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=30)
        return self._log.read_text(encoding="utf-8")

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        self._socket.close()


@pytest.fixture
def bucket() -> FlakyBucket:
    return FlakyBucket()


@pytest.fixture
def receiver(bucket: FlakyBucket, tmp_path: Path) -> Iterator[ReceiverProcess]:
    with serving(bucket) as url:
        process = ReceiverProcess(url, tmp_path / "receiver.log")
        try:
            yield process
        finally:
            process.close()


class Connection:
    """One connection to the receiver, made anew whenever it breaks."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, event: bytes) -> int | None:
        """Return the status of the answer; None without one."""
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            writer.write(
                b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Authorization: Bearer " + KEY.encode() + b"\r\n"
                b"Content-Length: " + str(len(event)).encode() + b"\r\n\r\n" + event
            )
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            await self.close()
            return None
        return int(head.split(b" ", 2)[1])

    async def close(self) -> None:
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


class NewStoreLike:
    """Sends every event until it is answered 200, as NewStore's retries do."""

    def __init__(self, receiver: ReceiverProcess, events: list[bytes]) -> None:
        self._receiver = receiver
        self._events = iter(events)
        self.accepted: list[bytes] = []
        self.answers: Counter[int | None] = Counter()
        chance = random.Random(SEED)
        steps = [len(events) * (n + 1) // (KILLS + 1) for n in range(KILLS)]
        self._kill_at = [step + chance.randrange(-400, 400) for step in steps]

    async def run(self) -> None:
        await asyncio.gather(*(self._deliver() for _ in range(CONNECTIONS)))

    async def _deliver(self) -> None:
        connection = Connection(self._receiver.port)
        try:
            for event in self._events:
                status = None
                while status != 200:
                    status = await connection.post(event)
                    self.answers[status] += 1
                self.accepted.append(event)
                if self._kill_at and len(self.accepted) >= self._kill_at[0]:
                    self._kill_at.pop(0)
                    self._receiver.kill()
                    self._receiver.start()
        finally:
            await connection.close()


def test_every_event_answered_200_is_in_the_bucket_exactly_as_sent(
    receiver: ReceiverProcess, bucket: FlakyBucket
) -> None:
    events = [event_line(number).encode() for number in range(EVENTS)]
    receiver.start()
    newstore = NewStoreLike(receiver, events)
    asyncio.run(asyncio.wait_for(newstore.run(), 150))
    stored = [line for content in bucket.objects.values() for line in content.splitlines()]
    assert len(newstore.accepted) == EVENTS
    assert set(stored) == set(events)
    assert all(content.endswith(b"\n") for content in bucket.objects.values())
    assert bucket.failures > 0
    assert set(newstore.answers) <= {200, 500, None}
    assert newstore.answers[None] > 0, "the kills were felt"
    assert len(bucket.objects) < EVENTS / 20, "many events share an object"
    assert "Application shutdown complete" in receiver.stop()
