"""Reaching servers, and the time it is there."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.steps.doctor_findings import NotGiven, Verdict
from refund_pipeline.steps.doctor_network import Reached, check_clock, reach
from refund_pipeline_tests.gateways.scripted_server import (
    Reply,
    ScriptedServer,
    closed_port,
    scripted_server,
)


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


def seconds(**skews: float | None) -> dict[str, timedelta | None]:
    return {name: None if skew is None else timedelta(seconds=skew) for name, skew in skews.items()}


@pytest.mark.parametrize("status", [200, 301, 401, 404, 429])
def test_any_answer_reaches(server: ScriptedServer, status: int) -> None:
    server.say(Reply(status))
    assert isinstance(reach("NetSuite", lambda: server.url, fix="", now=utc_now), Reached)


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_that_fails_is_not_asked_more(server: ScriptedServer, status: int) -> None:
    server.say(Reply(status))
    found = reach("NetSuite", lambda: server.url, fix="", now=utc_now)
    assert not isinstance(found, Reached)
    assert f"{server.url} answers {status}" in found.what


def test_silence_names_the_address_and_the_variables() -> None:
    found = reach("NewStore", closed_port, fix="", now=utc_now)
    assert not isinstance(found, Reached)
    assert found.verdict is Verdict.ERROR
    assert "http://127.0.0.1:" in found.what
    assert "NEWSTORE_ variables" in found.fix


@pytest.mark.parametrize(
    ("problem", "verdict"),
    [(NotGiven("X must be set"), Verdict.WARNING), (Misconfigured("X is no URL"), Verdict.ERROR)],
)
def test_an_address_that_cannot_be_had_is_a_finding(problem: Exception, verdict: Verdict) -> None:
    def address() -> str:
        raise problem

    found = reach("NetSuite", address, fix="correct X", now=utc_now)
    assert not isinstance(found, Reached)
    assert found.verdict is verdict
    assert str(problem) in found.what


@pytest.mark.parametrize(
    ("skew", "verdict"),
    [
        (0, Verdict.OK),
        (-59, Verdict.OK),
        (60, Verdict.WARNING),
        (-299, Verdict.WARNING),
        (300, Verdict.ERROR),
        (-86400, Verdict.ERROR),
    ],
)
def test_the_clock_is_judged_by_what_netsuite_accepts(skew: float, verdict: Verdict) -> None:
    (found,) = check_clock(seconds(NewStore=0, NetSuite=skew))
    assert found.verdict is verdict


def test_a_clock_that_is_wrong_is_told_by_how_much_and_which_way() -> None:
    (found,) = check_clock(seconds(NewStore=-400, NetSuite=400))
    assert "400 s behind NewStore's and 400 s ahead of NetSuite's" in found.what


def test_servers_that_do_not_say_the_time_are_not_compared() -> None:
    assert list(check_clock(seconds(NetSuite=None))) == []
    (found,) = check_clock(seconds(NewStore=1, NetSuite=None))
    assert found.what == "the clock of this machine agrees with NewStore"
