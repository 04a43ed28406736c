"""GET /metrics: off unless it has a key of its own, and never in the way of events."""

import asyncio
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from refund_pipeline.domain.errors import Unavailable
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.numbers import Numbers
from refund_pipeline.receiver import metrics
from refund_pipeline.receiver.app import create_app
from refund_pipeline.receiver.metrics import Metrics
from refund_pipeline_tests.fakes import FakeClock, event, event_line, landed_ledger
from refund_pipeline_tests.receiver.asgi import (
    HEADERS,
    NOBODY,
    SETTINGS,
    Answer,
    KeptFiles,
    lifespan,
    request,
)

METRICS_KEY = "m" * 32
ALLOWED = {"authorization": f"Bearer {METRICS_KEY}"}
WITH_METRICS = replace(SETTINGS, metrics_key=METRICS_KEY.encode())
NOTHING = Numbers(0, 0, (), (), {}, (), None, None, 0, 0, 0)


class FakeLedger:
    """Answers with `found`, or raises it; counts how often it is asked, and waits at its gate."""

    def __init__(self, found: Numbers | Exception = NOTHING) -> None:
        self.found = found
        self.asked = 0
        self.is_closed = False
        self.gate = threading.Event()
        self.gate.set()

    def numbers(self, *, now: datetime) -> Numbers:
        self.asked += 1
        assert self.gate.wait(60)
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def close(self) -> None:
        self.is_closed = True


class Seconds:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def ask(settings: Any = WITH_METRICS, **options: Any) -> Answer:
    options = {"method": "GET", "path": "/metrics", "headers": ALLOWED, **options}
    return asyncio.run(request(create_app(settings, writer=KeptFiles()), **options))


def values(text: bytes) -> dict[str, float]:
    """Return the samples by name and labels."""
    return {
        f"{sample.name.removeprefix('refund_pipeline_')}{''.join(sample.labels.values())}": (
            sample.value
        )
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def of(ledger: FakeLedger, **options: Any) -> Metrics:
    return Metrics(lambda: {"stored": 1}, ledger=ledger, **options)


def test_without_a_key_of_its_own_there_are_no_metrics() -> None:
    assert ask(SETTINGS).status == 404
    assert ask(SETTINGS, headers=HEADERS).status == 404


@pytest.mark.parametrize("headers", [NOBODY, HEADERS, {"authorization": "Bearer "}])
def test_only_their_own_key_opens_them(headers: dict[str, str]) -> None:
    answer = ask(headers=headers)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert b"refund_pipeline" not in answer.body


def test_their_key_sends_no_event() -> None:
    bucket = KeptFiles()
    app = create_app(WITH_METRICS, writer=bucket)
    answer = asyncio.run(request(app, event_line(1).encode(), headers=HEADERS | ALLOWED))
    assert (answer.status, bucket.files) == (401, [])


def test_events_are_counted_by_what_became_of_them() -> None:
    async def two() -> Answer:
        app = create_app(WITH_METRICS, writer=KeptFiles())
        assert (await request(app, event_line(1).encode())).status == 200
        assert (await request(app, b"{}")).status == 400
        return await request(app, method="GET", path="/metrics", headers=ALLOWED)

    answer = asyncio.run(two())
    assert answer.headers["content-type"] == "text/plain; version=1.0.0; charset=utf-8"
    assert values(answer.body) == {
        "receiver_events_totalstored": 1,
        "receiver_events_totalnot_stored": 0,
        "receiver_events_totalrefused": 1,
        "receiver_events_totalfailed": 0,
    }


def test_a_ledger_adds_its_numbers(tmp_path: Path) -> None:
    book: Ledger = landed_ledger(tmp_path, [event(1), event(2)], FakeClock())
    settings = replace(WITH_METRICS, ledger_url=book._database._url)

    async def served() -> Answer:
        app = create_app(settings, writer=KeptFiles())
        async with lifespan(app):
            return await request(app, method="GET", path="/metrics", headers=ALLOWED)

    shown = values(asyncio.run(served()).body)
    assert (shown["ledger_up"], shown["landed_refunds_total"]) == (1, 2)


def test_a_ledger_that_cannot_be_used_is_a_number_too() -> None:
    shown = values(asyncio.run(of(FakeLedger(Unavailable("down"))).text()))
    assert shown == {"ledger_up": 0, "receiver_events_totalstored": 1}
    shown = values(asyncio.run(of(FakeLedger(KeyError("a defect"))).text()))
    assert shown["ledger_up"] == 0


def test_what_the_ledger_said_counts_for_some_seconds() -> None:
    ledger, seconds = FakeLedger(), Seconds()
    asked = of(ledger, seconds=seconds)
    for moment in (0.0, 14.9):
        seconds.now = moment
        assert values(asyncio.run(asked.text()))["ledger_up"] == 1
    assert ledger.asked == 1
    seconds.now = 15.0
    ledger.found = Unavailable("down")
    assert values(asyncio.run(asked.text()))["ledger_up"] == 0
    assert ledger.asked == 2


def test_many_who_ask_at_once_ask_the_ledger_once() -> None:
    ledger = FakeLedger()

    async def many() -> list[bytes]:
        asked = of(ledger)
        return await asyncio.gather(*(asked.text() for _ in range(20)))

    answers = asyncio.run(many())
    assert {values(text)["ledger_up"] for text in answers} == {1}
    assert ledger.asked == 1


def test_a_ledger_that_hangs_is_down_and_is_not_asked_again_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics, "_PATIENCE", 0.01)
    ledger, seconds = FakeLedger(), Seconds()
    ledger.gate.clear()

    async def during_and_after() -> list[float]:
        asked = of(ledger, seconds=seconds)
        seen = []
        for moment in (0.0, 60.0):
            seconds.now = moment
            seen.append(values(await asked.text())["ledger_up"])
        ledger.gate.set()
        monkeypatch.setattr(metrics, "_PATIENCE", 30.0)
        seen.append(values(await asked.text())["ledger_up"])
        return seen

    assert asyncio.run(during_and_after()) == [0, 0, 1]
    assert ledger.asked == 1


def test_the_ledger_is_closed_with_the_receiver(tmp_path: Path, monkeypatch) -> None:
    ledger = FakeLedger()
    monkeypatch.setattr(metrics, "LedgerNumbers", lambda _: ledger)
    app = create_app(replace(WITH_METRICS, ledger_url="sqlite:///x"), writer=KeptFiles())

    async def served() -> None:
        async with lifespan(app):
            await request(app, method="GET", path="/metrics", headers=ALLOWED)
            assert not ledger.is_closed

    asyncio.run(served())
    assert ledger.is_closed


def test_a_receiver_nobody_asks_loads_neither_library() -> None:
    code = (
        "import sys; from refund_pipeline.receiver.app import create_app\n"
        "from refund_pipeline.receiver.settings import ReceiverSettings\n"
        "settings = ReceiverSettings('s3://b/e', 'demo', (b'k',), metrics_key=b'm')\n"
        "create_app(settings, writer=type('Writer', (), {'write': print, 'check': print})())\n"
        "print(sorted({'sqlalchemy', 'prometheus_client'} & set(sys.modules)))"
    )
    found = subprocess.run(  # noqa: S603  (our own code)
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout == "[]\n"
