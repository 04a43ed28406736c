"""Credentials NetSuite refuses are not sent until the user is locked: threads, runs, restarts."""

import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.gateways.http import Answer, Sign
from refund_pipeline.gateways.netsuite_auth import Authenticator
from refund_pipeline.gateways.netsuite_circuit import PAUSE_SECONDS, Circuit, refusals_file

LOCKED_AT = 5
"""So many failures lock the user (contract 1.3)."""


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


class NetSuite:
    """Answers with a status; counts what it refused and how many it had under way at once."""

    def __init__(self, status: int = 401) -> None:
        self.status = status
        self.refused = 0
        self.asked = 0
        self.peak = 0
        self._under_way = 0
        self._lock = threading.Lock()

    def once(self, sign: Sign) -> Answer:
        sign("GET", "https://x")
        with self._lock:
            self.asked += 1
            self._under_way += 1
            self.peak = max(self.peak, self._under_way)
            status = self.status
            self.refused += status == 401
        time.sleep(0.005)  # lets in whoever may come in; it shows in `peak`
        with self._lock:
            self._under_way -= 1
        return Answer(status, {}, None, is_json=False)


class Signer(Authenticator):
    refused_hint = "this"

    def headers(self, method: str, url: str) -> Mapping[str, str]:
        return {"Authorization": "x"}

    def refused(self, headers: Mapping[str, str]) -> bool:
        return True

    @property
    def requests_made(self) -> int:
        return 0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return refusals_file(tmp_path, "https://x", "key", "token")


def run(netsuite: NetSuite, file: Path | None, clock: Clock) -> str:
    """Do what one run does: a new circuit, one request; return the error."""
    try:
        Signer(circuit=Circuit(file, clock=clock)).send(netsuite.once)
    except Misconfigured as error:
        return str(error)
    return ""


def refuse(circuit: Circuit, times: int) -> None:
    for _ in range(times):
        circuit.refused()


# In one process


def test_three_refusals_in_a_row_stop_everything(clock):
    netsuite = NetSuite()
    own = Signer(circuit=Circuit(clock=clock))
    for _ in range(4):
        with pytest.raises(Misconfigured):
            own.send(netsuite.once)

    assert netsuite.refused == 3 < LOCKED_AT


def test_an_open_circuit_does_not_even_begin_a_request(clock):
    circuit = Circuit(clock=clock)
    refuse(circuit, 3)

    def _never(_: Sign) -> Answer:
        raise AssertionError("begun")

    with pytest.raises(Misconfigured, match="3 times in a row"):
        Signer(circuit=circuit).send(_never)


def test_the_error_says_why_until_when_and_what_to_do(clock):
    circuit = Circuit(clock=clock)
    clock.now = 1_800_000_000.0
    refuse(circuit, 3)
    with pytest.raises(Misconfigured) as stopped:
        circuit.check()

    assert str(stopped.value) == (
        "NetSuite refused these credentials 3 times in a row, and five refusals lock the user, so "
        "nothing is sent before 2027-01-15 08:30 UTC; correct the NETSUITE settings (other key ids "
        "are tried at once)"
    )


@pytest.mark.parametrize("status", [200, 204, 400, 403, 404])
def test_an_accepted_request_starts_the_count_anew(clock, status):
    circuit = Circuit(clock=clock)
    refuse(circuit, 2)
    Signer(circuit=circuit).send(NetSuite(status).once)
    refuse(circuit, 2)

    circuit.check()


@pytest.mark.parametrize("status", [302, 429, 500, 503])
def test_an_answer_that_proves_nothing_does_not(clock, status):
    circuit = Circuit(clock=clock)
    refuse(circuit, 2)
    Signer(circuit=circuit).send(NetSuite(status).once)
    refuse(circuit, 1)

    with pytest.raises(Misconfigured):
        circuit.check()


def in_threads(count: int, own: Signer, netsuite: NetSuite) -> list[str]:
    barrier = threading.Barrier(count)
    errors: list[str] = []

    def _send() -> None:
        barrier.wait(10)
        try:
            own.send(netsuite.once)
        except Misconfigured as error:
            errors.append(str(error))

    threads = [threading.Thread(target=_send) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return errors


@pytest.mark.parametrize("with_file", [True, False])
def test_threads_that_start_together_do_not_fail_together(file, clock, with_file):
    netsuite = NetSuite()
    circuit = Circuit(file if with_file else None, clock=clock)

    assert len(in_threads(20, Signer(circuit=circuit), netsuite)) == 20
    assert netsuite.refused == 3 < LOCKED_AT
    assert netsuite.peak == 1


class TogetherNetSuite(NetSuite):
    """Answers only when `together` requests are there at once."""

    def __init__(self, together: int) -> None:
        super().__init__(200)
        self._barrier = threading.Barrier(together)

    def once(self, sign: Sign) -> Answer:
        sign("GET", "https://x")
        self._barrier.wait(10)
        return Answer(200, {}, None, is_json=False)


def test_proven_credentials_are_used_side_by_side(file, clock):
    own = Signer(circuit=Circuit(file, clock=clock))
    own.send(NetSuite(200).once)

    assert in_threads(8, own, TogetherNetSuite(8)) == []


def test_after_a_refusal_requests_go_one_at_a_time_again(clock):
    circuit = Circuit(clock=clock)
    circuit.accepted()
    circuit.refused()
    entered = threading.Event()

    def _second() -> None:
        with circuit.passage():
            entered.set()

    with circuit.passage():
        thread = threading.Thread(target=_second)
        thread.start()
        assert not entered.wait(0.05)
    thread.join(10)
    assert entered.is_set()


def test_a_request_that_fails_gives_its_turn_back(file, clock):
    circuit = Circuit(file, clock=clock)
    with pytest.raises(ZeroDivisionError), circuit.passage():
        _ = 1 / 0

    with circuit.passage():
        pass


def test_a_retry_inside_one_request_is_not_signed_after_the_circuit_opened(clock):
    circuit = Circuit(clock=clock)
    own = Signer(circuit=circuit)

    def _retrying(sign: Sign) -> Answer:
        sign("GET", "https://x")
        refuse(circuit, 3)  # other threads, meanwhile
        sign("GET", "https://x")
        raise AssertionError("signed again")

    with pytest.raises(Misconfigured, match="3 times in a row"):
        own.send(_retrying)


# From run to run


def test_runs_that_follow_each_other_stop_at_three_refusals(file, clock):
    netsuite = NetSuite()
    errors = []
    for _ in range(20):
        errors.append(run(netsuite, file, clock))
        clock.now += 60

    assert netsuite.refused == 3
    assert errors[0] == "NetSuite refuses this"
    assert all("3 times in a row" in error for error in errors[1:])
    assert str(file) in errors[-1]


def test_no_half_hour_of_runs_has_enough_refusals_to_lock_the_user(file, clock):
    netsuite = NetSuite()
    refused_at: list[float] = []
    for _ in range(6 * 60):
        before = netsuite.refused
        run(netsuite, file, clock)
        refused_at += [clock.now] * (netsuite.refused - before)
        clock.now += 60

    most = max(sum(at <= other < at + PAUSE_SECONDS for other in refused_at) for at in refused_at)
    assert most == 3 < LOCKED_AT
    assert len(refused_at) == 3 + 11  # one an hour and a half-hour: it mends itself when it can


def test_runs_that_start_together_do_not_fail_together(file, clock):
    netsuite = NetSuite()
    barrier = threading.Barrier(8)

    def _run() -> None:
        barrier.wait(10)
        run(netsuite, file, clock)

    threads = [threading.Thread(target=_run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert netsuite.refused == 3
    assert netsuite.peak == 1


def test_after_the_pause_credentials_that_were_mended_work_again(file, clock):
    netsuite = NetSuite()
    run(netsuite, file, clock)
    run(netsuite, file, clock)
    netsuite.status = 200
    assert "3 times in a row" in run(netsuite, file, clock)
    clock.now += PAUSE_SECONDS

    assert run(netsuite, file, clock) == ""
    assert file.read_text() == ""
    netsuite.status = 401
    assert run(netsuite, file, clock) == "NetSuite refuses this"  # the count starts anew


def test_a_person_opens_the_way_by_deleting_the_file(file, clock):
    circuit = Circuit(file, clock=clock)
    refuse(circuit, 3)
    with pytest.raises(Misconfigured):
        circuit.check()
    file.unlink()

    circuit.check()


def test_a_clock_that_was_set_back_does_not_close_the_way_for_long(file, clock):
    refuse(Circuit(file, clock=clock), 3)
    clock.now -= 2 * PAUSE_SECONDS

    Circuit(file, clock=clock).check()


def test_other_key_ids_are_tried_at_once(tmp_path, clock):
    refuse(Circuit(refusals_file(tmp_path, "https://x", "key", "token-1"), clock=clock), 3)

    Circuit(refusals_file(tmp_path, "https://x", "key", "token-2"), clock=clock).check()


def test_the_file_holds_times_and_nothing_of_the_credentials(file, clock):
    clock.now = 1_800_000_000.0
    refuse(Circuit(file, clock=clock), 2)

    assert file.read_text() == "2027-01-15T08:00:00Z refused\n" * 2
    assert file.stat().st_mtime == clock.now
    assert "token" not in file.name


@pytest.mark.parametrize("kind", ["a missing directory", "a directory in its place"])
def test_without_a_writable_file_the_process_still_stops(tmp_path, clock, kind):
    file = tmp_path / "missing" / "file" if kind == "a missing directory" else tmp_path
    netsuite = NetSuite()
    own = Signer(circuit=Circuit(file, clock=clock))
    for _ in range(4):
        with pytest.raises(Misconfigured):
            own.send(netsuite.once)

    assert netsuite.refused == 3


def test_an_accepted_request_leaves_an_empty_file_alone(file, clock):
    own = Circuit(file, clock=clock)
    with own.passage():
        own.accepted()
    written = file.stat().st_mtime_ns
    Circuit(file, clock=clock).accepted()

    assert file.stat().st_mtime_ns == written
