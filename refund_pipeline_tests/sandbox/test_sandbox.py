"""The whole sandbox starts, says how to reach it, keeps landing refunds and stops cleanly."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import requests

from refund_pipeline.sandbox import sandbox as sandbox_module
from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.newstore_events.event_log import CreatedEvent
from refund_pipeline.sandbox.newstore_events.stream import EventStream
from refund_pipeline.sandbox.retailer import Retailer, SandboxRefund
from refund_pipeline.sandbox.sandbox import Sandbox, run_until_stopped

NAMES = {
    "REFUNDS_TENANT",
    "REFUNDS_START_DATE",
    "REFUNDS_MAPPING",
    "REFUNDS_LANDING_URL",
    "AWS_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_DEFAULT_REGION",
    "NEWSTORE_BASE_URL",
    "NEWSTORE_TOKEN_URL",
    "NEWSTORE_CLIENT_ID",
    "NEWSTORE_CLIENT_SECRET",
    "NETSUITE_ACCOUNT",
    "NETSUITE_BASE_URL",
    "NETSUITE_AUTH",
    "NETSUITE_CLIENT_ID",
    "NETSUITE_CERTIFICATE_ID",
    "NETSUITE_PRIVATE_KEY_FILE",
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    noon = datetime(2026, 5, 2, 12, tzinfo=timezone.utc)
    with Sandbox(clock=lambda: noon, state=tmp_path_factory.mktemp("state")) as sandbox:
        yield sandbox


def test_all_three_answer(running: Sandbox) -> None:
    running.check_answers()


def test_the_bucket_can_be_down_and_counts_who_asks_all_the_same(running: Sandbox) -> None:
    landing = running.landing
    before = landing.requests
    landing.start_outage()
    refused = requests.get(f"{landing.endpoint_url}/{landing.bucket}", timeout=10)
    landing.end_outage()
    assert (refused.status_code, landing.requests - before) == (503, 1)
    assert b"<Code>ServiceUnavailable</Code>" in refused.content
    running.check_answers()


def test_a_system_that_does_not_answer_is_named(running: Sandbox) -> None:
    running.newstore.faults.start_outage()
    with pytest.raises(RuntimeError, match=r"NewStore.* 503"):
        running.check_answers()
    running.newstore.faults.end_outage()


def test_the_environment_has_every_variable_but_the_ledgers(running: Sandbox) -> None:
    environment = running.environment()
    assert set(environment) == NAMES
    assert all(environment.values())
    assert environment["REFUNDS_START_DATE"] == "2026-04-02"
    assert Path(environment["REFUNDS_MAPPING"]).is_file()


def test_the_environment_can_be_that_of_token_based_authentication(running: Sandbox) -> None:
    environment = running.environment(auth="tba")
    oauth2 = {"NETSUITE_CLIENT_ID", "NETSUITE_CERTIFICATE_ID", "NETSUITE_PRIVATE_KEY_FILE"}
    tba = {
        "NETSUITE_CONSUMER_KEY",
        "NETSUITE_CONSUMER_SECRET",
        "NETSUITE_TOKEN_ID",
        "NETSUITE_TOKEN_SECRET",
    }
    assert set(environment) == NAMES - oauth2 | tba
    assert all(environment.values())
    assert environment["NETSUITE_AUTH"] == "tba"


def test_the_private_key_is_for_its_owner_only(running: Sandbox) -> None:
    path = Path(running.environment()["NETSUITE_PRIVATE_KEY_FILE"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text(encoding="ascii") == running.netsuite.private_key_pem


def test_a_demo_day_is_accepted_by_all_three(running: Sandbox) -> None:
    day = running.retailer.demo_day(datetime(2026, 5, 2, 12, tzinfo=timezone.utc))
    listed = running.landing.client.list_objects_v2(Bucket=running.landing.bucket)["Contents"]
    assert [one["Key"] for one in listed] == list(day.files)
    assert all(running.newstore.order(refund.order_id) for refund in day.refunds)


def test_a_missing_mapping_is_said_clearly(
    running: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sandbox_module, "MAPPING", tmp_path / "example.yaml")
    with pytest.raises(FileNotFoundError, match="checkout"):
        running.environment()


def test_what_has_started_is_stopped_when_another_one_cannot(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_: NewStoreSandbox) -> None:
        raise OSError("no port")

    sandbox = Sandbox(state=tmp_path)
    monkeypatch.setattr(NewStoreSandbox, "start", fail)
    with pytest.raises(OSError, match="no port"):
        sandbox.start()
    with pytest.raises(RuntimeError, match="not started"):
        _ = sandbox.landing.endpoint_url
    sandbox.newstore.stop()
    sandbox.netsuite.stop()


class Beside:
    """Runs beside the sandbox, and looks at it while it is there."""

    def __init__(self, env_file: Path, environment: dict[str, str]) -> None:
        self.env_file_at_start = env_file.read_text(encoding="utf-8")
        self.mode = env_file.stat().st_mode & 0o777
        self.environment = environment
        self.answered_at_stop = False

    def stop(self) -> None:
        url = self.environment["NEWSTORE_TOKEN_URL"]
        self.answered_at_stop = requests.post(url, timeout=5).status_code == 400


def test_running_prints_exports_and_writes_the_env_file_for_what_runs_beside(
    tmp_path: Path,
) -> None:
    env_file, stopped = tmp_path / "sandbox.env", threading.Event()
    printed: list[str] = []
    beside: list[Beside] = []

    def start_beside(environment: dict[str, str]) -> Beside:
        beside.append(Beside(env_file, environment))
        stopped.set()
        return beside[0]

    run_until_stopped(env_file, beside=start_beside, stopped=stopped, write=printed.append)
    lines = beside[0].env_file_at_start.splitlines()
    assert {line.partition("=")[0] for line in lines} == NAMES
    assert dict(line.split("=", 1) for line in lines) == beside[0].environment
    assert sum(line.startswith("export ") for line in printed) == len(NAMES)
    assert beside[0].mode == 0o600
    assert beside[0].answered_at_stop
    assert not env_file.exists()


class StopAfter(threading.Event):
    """An event that is set at the n-th wait, without waiting."""

    def __init__(self, waits: int) -> None:
        super().__init__()
        self.waits = waits

    def wait(self, timeout: float | None = None) -> bool:
        self.waits -= 1
        return self.waits < 0


def test_running_lands_a_week_a_demo_day_and_then_one_refund_after_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    landed: list[str] = []
    land = sandbox_module.LandingSandbox.land

    def count(self, lines, **how):
        landed.append(land(self, lines, **how))
        return landed[-1]

    monkeypatch.setattr(sandbox_module.LandingSandbox, "land", count)
    run_until_stopped(stopped=StopAfter(3), write=lambda _: None)
    assert len(landed) == 7 + 6 + 3


def test_every_second_new_refund_is_paid_late(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[SandboxRefund] = []
    any_refund = Retailer.any_refund

    def keep(self, at, **how):
        made.append(any_refund(self, at, **how))
        return made[-1]

    monkeypatch.setattr(Retailer, "any_refund", keep)
    run_until_stopped(stopped=StopAfter(3), write=lambda _: None)
    delays = [refund.payments_available_at - refund.requested_at for refund in made[-3:]]
    assert [delay.total_seconds() for delay in delays] == [0, 25, 0]


def test_new_refunds_go_to_newstores_stream_too(monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[str] = []
    publish = EventStream.publish

    def keep(self: EventStream, event: str, **how: Any) -> CreatedEvent:
        published.append(event)
        return publish(self, event, **how)

    monkeypatch.setattr(EventStream, "publish", keep)
    run_until_stopped(stopped=StopAfter(2), write=lambda _: None)
    assert len(published) == 2


def test_the_process_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    code = "from refund_pipeline.sandbox.sandbox import run_until_stopped; run_until_stopped()"
    process = subprocess.Popen(  # noqa: S603 - our own command line
        [sys.executable, "-u", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("#"):
            break
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert list(tmp_path.iterdir()) == []
