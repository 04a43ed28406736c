"""`refund-pipeline watch`: the look from outside."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import stamina
from click.testing import CliRunner, Result

from refund_pipeline.cli import main
from refund_pipeline.domain.payments import PaymentsHeld
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.steps.replay import Time
from refund_pipeline_tests.fakes import FakeClock, event
from refund_pipeline_tests.gateways.ledger_makers import land, pay
from refund_pipeline_tests.gateways.scripted_server import (
    Reply,
    ScriptedServer,
    scripted_server,
)

Run = Callable[..., Result]
OK = Reply(200, b"ok")


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: FakeClock, monkeypatch) -> Iterator[Ledger]:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    for name in ("DAGSTER_HOME", "REFUNDS_LANDING_URL", "REFUNDS_START_DATE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REFUNDS_LEDGER_URL", url)
    monkeypatch.setenv("REFUNDS_TENANT", "acme")
    book = Ledger(url, clock=clock.now)
    yield book
    book.close()


@pytest.fixture
def run(server, ledger, clock, monkeypatch) -> Run:
    server.say(OK)
    monkeypatch.setenv("REFUNDS_ALERTS", f"{server.url}/planted")
    monkeypatch.setenv("REFUNDS_HEARTBEAT_URL", f"{server.url}/heartbeat")

    def invoke(*arguments: str) -> Result:
        time = Time(clock.now, clock.sleep)
        result = CliRunner().invoke(main, ["watch", *arguments], obj=time)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "planted" not in result.output
        return result

    return invoke


def hold(ledger: Ledger) -> None:
    land(ledger, event(1))
    pay(ledger, event(1), PaymentsHeld("overpaid", "too much"))


def test_all_is_well_is_code_0_and_a_heartbeat(run, server) -> None:
    result = run()
    assert result.exit_code == 0
    assert "all is well" in result.output
    assert [seen.path for seen in server.seen] == ["/heartbeat"]


def test_a_situation_is_code_1_and_told_once(run, server, ledger) -> None:
    hold(ledger)
    first, second = run(), run()
    assert (first.exit_code, second.exit_code) == (1, 1)
    assert "told as new: 1 refund held: overpaid" in first.output
    assert "told as new" not in second.output
    assert "docs/operations.md#held-refunds" in second.output
    assert [seen.path for seen in server.seen] == ["/planted", "/heartbeat", "/heartbeat"]


def test_json_has_all_of_it(run, ledger) -> None:
    hold(ledger)
    document = json.loads(run("--json").stdout)
    assert document["at"] == "2026-11-20T12:00:00Z"
    assert document["situations"][0]["key"] == "held:overpaid"
    assert document["told"] == [
        {"key": "held:overpaid", "news": "new", "channels": ["webhook 127.0.0.1"]}
    ]
    assert (document["undelivered"], document["heartbeat"]) == ([], "sent")
    assert "landing_sensor" not in document["looked_at"]


def test_a_channel_or_a_heartbeat_that_fails_is_code_1(run, server, ledger) -> None:
    server.say(Reply(500))
    result = run()
    assert result.exit_code == 1
    assert "the heartbeat was not sent" in result.output
    hold(ledger)
    result = run()
    assert result.exit_code == 1
    assert "not told: webhook 127.0.0.1" in result.output


def test_that_it_is_over_and_could_not_be_told_is_code_1_too(
    run, server, ledger, monkeypatch
) -> None:
    monkeypatch.delenv("REFUNDS_HEARTBEAT_URL")
    hold(ledger)
    run()
    pay(ledger, event(1))
    server.say(Reply(500))
    result = run()
    assert (result.exit_code, "not everybody could be told" in result.output) == (1, True)


def test_a_ledger_that_cannot_be_used_is_told_and_code_3(run, server, monkeypatch) -> None:
    monkeypatch.setenv("REFUNDS_LEDGER_URL", "sqlite:////no/such/folder/ledger.db")
    result = run()
    assert result.exit_code == 3
    assert [alert["key"] for alert in server.seen[0].document["alerts"]] == ["ledger"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REFUNDS_TENANT", ""),
        ("REFUNDS_OUTSTANDING_LIMIT_HOURS", "x"),
        ("REFUNDS_START_DATE", "soon"),
    ],
)
def test_a_setting_that_cannot_be_right_is_code_3_by_its_name(
    run, monkeypatch, name, value
) -> None:
    monkeypatch.setenv(name, value)
    result = run()
    assert result.exit_code == 3
    assert name in result.output


def test_dagster_is_asked_where_its_home_is_known(run, tmp_path, monkeypatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    result = run("--json")
    document = json.loads(result.stdout)
    assert {"landing_sensor", "run_failed", "subscription"} <= set(document["looked_at"])
    assert [one["key"] for one in document["situations"]] == ["landing_sensor"]
    assert result.exit_code == 1


def test_a_dagster_that_cannot_be_read_is_a_situation(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "missing"))
    document = json.loads(run("--json").stdout)
    assert [one["key"] for one in document["situations"]] == ["dagster"]
    assert "run_failed" not in document["looked_at"]


def test_what_the_schedule_has_told_the_command_does_not_tell_again(
    run, server, ledger, clock
) -> None:
    hold(ledger)
    run()
    clock.sleep(timedelta(hours=1).total_seconds())
    document = json.loads(run("--json").stdout)
    assert document["told"] == []


def test_a_test_message_goes_to_every_channel_and_says_which_took_it(run, server) -> None:
    result = run("--test")
    assert result.exit_code == 0
    assert "webhook 127.0.0.1: took the message" in result.output
    assert [alert["key"] for alert in server.seen[0].document["alerts"]] == ["test"]


def test_a_test_message_nobody_takes_is_code_1(run, server, monkeypatch) -> None:
    server.say(Reply(404))
    assert run("--test").exit_code == 1
    monkeypatch.setenv("REFUNDS_ALERTS", "")
    result = run("--test")
    assert (result.exit_code, "REFUNDS_ALERTS is not set" in result.output) == (1, True)


def test_without_a_home_of_dagster_its_code_is_not_even_loaded(run, ledger) -> None:
    code = (
        "import sys; from click.testing import CliRunner; from refund_pipeline.cli import main;"
        "print(CliRunner().invoke(main, ['watch']).exit_code, 'dagster' in sys.modules)"
    )
    found = subprocess.run(  # noqa: S603  (our own code)
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.split()[-1] == "False"
