"""What was answered 200 is in the bucket, however the bucket fails and the process dies.

10,000 webhooks from 200 connections; the bucket fails one write in twenty; the process is killed
with SIGKILL between writes, within a write and right after one, and started again.
"""

import asyncio
import json
import random
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from refund_pipeline.domain.events import RefundEvent, parse_line
from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.sandbox.serving import serving
from refund_pipeline_tests.fakes import event_line
from refund_pipeline_tests.gateways.fake_s3 import FakeS3
from refund_pipeline_tests.receiver.flaky_bucket import FlakyBucket
from refund_pipeline_tests.receiver.receiver_process import KEY, Connection, ReceiverProcess

EVENTS, CONNECTIONS = 10_000, 200
SEED = 42
"""Among its first fifty writes one fails in each of the four ways."""
BACK_OFF = 0.2
"""Seconds until an event is sent again."""
PRIVATE = "call Jane on 555-0100"


class NewStoreLike:
    """Sends every event until it is answered 200, as NewStore's retries do."""

    def __init__(self, receiver: ReceiverProcess, events: list[bytes], *, kills: set[int]) -> None:
        self._receiver = receiver
        self._events = iter(events)
        self._kills = kills
        self._is_done = False
        self.accepted: list[bytes] = []
        self.answers: Counter[int | None] = Counter()

    async def deliver_everything(self) -> None:
        """Send from all connections; kill the receiver after so many answers, and stop it last."""
        keeping = asyncio.ensure_future(self._keep_running())
        await asyncio.gather(*(self._deliver() for _ in range(CONNECTIONS)))
        self._is_done = True
        self._receiver.terminate()
        await keeping

    async def _deliver(self) -> None:
        connection = Connection(self._receiver)
        for event in self._events:
            status = await self._post(connection, event)
            while status != 200:
                await asyncio.sleep(BACK_OFF)
                status = await self._post(connection, event)
            self.accepted.append(event)
            if len(self.accepted) in self._kills:
                self._receiver.kill()
        await connection.close()

    async def _post(self, connection: Connection, event: bytes) -> int | None:
        status = await connection.post(event)
        self.answers[status] += 1
        return status

    async def _keep_running(self) -> None:
        while not self._is_done:
            await asyncio.to_thread(self._receiver.wait)
            if not self._is_done:
                await asyncio.to_thread(self._receiver.start)


def some_event(number: int) -> bytes:
    """Write an event as NewStore does, or over several lines."""
    line = event_line(number, note=f"{PRIVATE} {number}\n\u2028")
    if number % 5 == 0:
        return json.dumps(json.loads(line), indent=2, ensure_ascii=False).encode()
    return line.encode()


def as_one_line(body: bytes) -> bytes:
    return body.replace(b"\n", b" ")


def lines_of(objects: dict[str, bytes]) -> list[bytes]:
    """Read a bucket as the pipeline does."""
    s3: Any = FakeS3()
    s3.objects.update(objects)
    bucket = LandingBucket("s3://bucket/events", tenant="demo", client=lambda: s3)
    landed = [obj for page in bucket.since(datetime.fromtimestamp(0, timezone.utc)) for obj in page]
    assert len(landed) == len(objects)
    assert all(obj.landing_day for obj in landed)
    lines = [line for obj in landed for _, line in bucket.lines(obj)]
    return [line for line in lines if isinstance(line, bytes)]


def test_every_event_answered_200_is_in_the_bucket_exactly_as_sent(tmp_path: Path) -> None:
    events = [some_event(number) for number in range(EVENTS)]
    bucket = FlakyBucket(seed=SEED, failing=0.05)
    with serving(bucket) as url:
        receiver = ReceiverProcess(url, tmp_path / "log", REFUNDS_RECEIVER_INTERVAL="0.01")
        # a file holds at most one event of each connection, so there are at least fifty writes
        bucket.before = {8: receiver.kill, 33: receiver.kill}
        bucket.after = {17: receiver.kill, 45: receiver.kill}
        kills = {random.Random(SEED).randrange(start, start + 1000) for start in (1000, 5000, 8000)}
        newstore = NewStoreLike(receiver, events, kills=kills)
        try:
            receiver.start()
            asyncio.run(newstore.deliver_everything())
        finally:
            receiver.close()
    assert sorted(newstore.accepted) == sorted(events)
    assert set(newstore.answers) <= {200, 500, None}
    assert receiver.starts >= 4, "it was killed again and again"
    assert bucket.failures >= 4
    assert len(bucket.objects) < EVENTS / 20, "many events share an object"
    lines = lines_of(bucket.objects)
    assert set(lines) == {as_one_line(event) for event in events}
    assert all(isinstance(parse_line(line, tenant="demo"), RefundEvent) for line in set(lines))
    log = receiver.log.read_text()
    assert "POST /events 200" in log
    for hidden in (KEY, PRIVATE, events[0][40:60].decode()):
        assert hidden not in log
