"""Both rate-limit regimes behave as the contract says (3.3), and count a client that hammers."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests

from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.newstore_limits import Passage, RateLimits
from refund_pipeline_tests.sandbox.newstore_raw_client import NOON, Caller, Clock

QUERY = "{ __typename }"


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[NewStoreSandbox, Clock]]:
    clock = Clock()
    with NewStoreSandbox(clock=clock, token_ttl=100_000) as newstore:
        yield newstore, clock


@pytest.fixture
def clock(running: tuple[NewStoreSandbox, Clock]) -> Clock:
    running[1].now = NOON
    return running[1]


@pytest.fixture
def caller(running: tuple[NewStoreSandbox, Clock], clock: Clock) -> Iterator[Caller]:
    newstore, _ = running
    newstore.limits.off()
    with Caller(newstore) as caller:
        yield caller


def statuses(caller: Caller, times: int) -> list[int]:
    return [caller.query(QUERY).status_code for _ in range(times)]


def test_no_limit_is_on_at_first(caller: Caller) -> None:
    assert set(statuses(caller, 60)) == {200}


def test_one_call_too_many_within_a_second_is_429_until_the_second_has_passed(
    caller: Caller, clock: Clock
) -> None:
    caller.newstore.limits.newer(3)
    assert statuses(caller, 2) == [200, 200]
    clock.advance(milliseconds=600)
    assert statuses(caller, 2) == [200, 429]
    refused = caller.account()
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert refused.headers["content-type"] == "application/json"
    clock.advance(milliseconds=400)
    assert statuses(caller, 3) == [200, 200, 429]


def test_the_newer_limit_is_the_tenants_and_spares_tokens(caller: Caller) -> None:
    caller.newstore.limits.newer(1)
    with Caller(caller.newstore) as other:
        assert statuses(caller, 1) + statuses(other, 1) == [200, 429]
        assert other.token().status_code == 200


def test_one_request_too_many_blocks_the_address_for_five_minutes(
    caller: Caller, clock: Clock
) -> None:
    caller.newstore.limits.older(4)
    clock.advance(minutes=4, seconds=59)
    assert statuses(caller, 5) == [200, 200, 200, 200, 403]
    blocked = caller.query(QUERY)
    assert blocked.headers["content-type"].startswith("text/html")
    with pytest.raises(requests.JSONDecodeError):
        blocked.json()
    assert caller.token().status_code == 403
    clock.advance(minutes=4, seconds=59)
    assert statuses(caller, 1) == [403]
    clock.advance(seconds=1)
    assert statuses(caller, 4) == [200, 200, 200, 200]


def test_requests_count_for_five_minutes_only(caller: Caller, clock: Clock) -> None:
    caller.newstore.limits.older(2)
    assert statuses(caller, 2) == [200, 200]
    clock.advance(minutes=5)
    assert statuses(caller, 3) == [200, 200, 403]


def test_a_block_may_set_in_late(caller: Caller, clock: Clock) -> None:
    caller.newstore.limits.older(2, lag=timedelta(seconds=10))
    assert statuses(caller, 6) == [200] * 6
    clock.advance(seconds=10)
    assert statuses(caller, 1) == [403]


def test_another_address_is_not_blocked(clock: Clock) -> None:
    limits = RateLimits(clock)
    limits.older(1)
    asked = ("10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.1")
    found = [limits.passage(address) for address in asked]
    assert found == [Passage.FREE, Passage.BLOCKS, Passage.FREE, Passage.BLOCKED]


def test_the_audit_shows_a_client_that_hammers_a_block(caller: Caller) -> None:
    caller.newstore.limits.older(2)
    before = caller.newstore.audit.while_blocked
    statuses(caller, 3)
    polite = caller.newstore.audit.while_blocked - before
    statuses(caller, 7)
    assert (polite, caller.newstore.audit.while_blocked - before) == (0, 7)
    entry = caller.newstore.audit.entries[-1]
    assert (entry.kind, entry.status, entry.blocked) == ("graphql", 403, True)
    assert entry.address == "127.0.0.1"


def test_a_refused_call_does_not_count_and_off_forgets_everything(caller: Caller) -> None:
    caller.newstore.limits.newer(1)
    caller.newstore.limits.older(5)
    assert statuses(caller, 6) == [200, 429, 429, 429, 429, 403]
    caller.newstore.limits.off()
    assert statuses(caller, 1) == [200]


def test_a_limit_of_nothing_is_refused(caller: Caller) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        caller.newstore.limits.newer(0)
    with pytest.raises(ValueError, match="at least 1"):
        caller.newstore.limits.older(0)
