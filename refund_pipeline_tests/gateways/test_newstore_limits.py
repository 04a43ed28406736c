"""Rate limits, blocks, tokens that end, and single things NewStore cannot answer for."""

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stamina

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.domain.payments import PaymentAccount, RefundFacts
from refund_pipeline.gateways.http import Answer, retry_after
from refund_pipeline.gateways.newstore import AccountFailed, OrderFailed, OrderRead, RefundFailed
from refund_pipeline.gateways.newstore_block import AddressBlock
from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline_tests.gateways.newstore_makers import (
    Scripted,
    client_of,
    fill,
    node_of,
    scripted,
)

BLOCKED = (403, "<html>Request blocked</html>")
NOW = 1_800_000_000.0


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=4, cap=True):
        yield


# The block of an address


def test_a_block_holds_for_other_processes_of_the_host(tmp_path: Path) -> None:
    file = tmp_path / "state" / "newstore-block"
    with NewStoreSandbox() as sandbox:
        ids = fill(sandbox, 3)
        sandbox.faults.block_address(1)
        with (
            client_of(sandbox, block_file=file) as first,
            pytest.raises(Unavailable, match="blocks this address for five minutes"),
        ):
            first.orders(ids)
        asked = sum(sandbox.requests.values())
        with client_of(sandbox, block_file=file) as second:
            for read in (second.orders, second.payment_accounts):
                with pytest.raises(Unavailable, match="nothing is asked until then"):
                    read(ids)
            assert second.requests_made == 0
        assert sum(sandbox.requests.values()) == asked
        with client_of(sandbox) as elsewhere:
            assert len(elsewhere.orders(ids)) == 3


def test_a_block_ends_after_five_minutes_for_other_processes_too(tmp_path: Path) -> None:
    file, now = tmp_path / "block", [NOW]
    AddressBlock(file, wall_clock=lambda: now[0]).begin()
    other = AddressBlock(file, wall_clock=lambda: now[0])
    assert other.is_on
    now[0] += 299
    assert other.is_on
    now[0] += 2
    assert not other.is_on


def test_a_block_seen_again_starts_anew(tmp_path: Path) -> None:
    file, now = tmp_path / "block", [NOW]
    block = AddressBlock(file, wall_clock=lambda: now[0])
    block.begin()
    now[0] += 400
    block.begin()
    now[0] += 200
    assert AddressBlock(file, wall_clock=lambda: now[0]).is_on


def test_the_file_is_private_empty_and_leaves_no_draft_behind(tmp_path: Path) -> None:
    file = tmp_path / "block"
    AddressBlock(file).begin()
    assert [path.name for path in tmp_path.iterdir()] == ["block"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes() == b""


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-301, False), (-299, True), (0, True), (299, True), (301, False), (10**9, False)],
)
def test_a_file_from_a_far_future_blocks_nobody(
    tmp_path: Path, seconds: float, expected: bool
) -> None:
    file = tmp_path / "block"
    file.touch()
    os.utime(file, (NOW + seconds, NOW + seconds))
    assert AddressBlock(file, wall_clock=lambda: NOW).is_on == expected


def test_a_file_that_cannot_be_written_leaves_the_block_in_the_process(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    now = [0.0]
    for unusable in (tmp_path / "file" / "block", tmp_path / ("x" * 300)):
        block = AddressBlock(unusable, monotonic=lambda: now[0])
        assert not block.is_on
        block.begin()
        assert block.is_on
        now[0] += 301.0
        assert not block.is_on


def test_a_draft_that_cannot_take_the_files_place_is_removed(tmp_path: Path) -> None:
    (tmp_path / "block").mkdir()
    AddressBlock(tmp_path / "block").begin()
    assert [path.name for path in tmp_path.iterdir()] == ["block"]


def test_repetitions_of_a_read_stop_when_another_process_is_blocked(tmp_path: Path) -> None:
    file = tmp_path / "block"

    def answer(path: str, body: Any) -> tuple[int, Any]:
        AddressBlock(file).begin()
        return 503, "down"

    with scripted(answer, block_file=file) as (client, script):
        with pytest.raises(Unavailable, match="blocks this address"):
            client.payment_accounts(["a"])
        assert len(script.calls) == 2


def test_a_block_stops_threads_that_are_under_way() -> None:
    def answer(path: str, body: Any) -> tuple[int, Any]:
        return BLOCKED

    with scripted(answer) as (client, script):
        with pytest.raises(Unavailable, match="blocks this address"):
            client.payment_accounts([str(number) for number in range(200)])
        assert len(script.calls) <= 9


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_in_json_is_no_block(status: int, tmp_path: Path) -> None:
    file = tmp_path / "block"
    with scripted(lambda path, body: (status, {"message": "no"}), block_file=file) as (client, _):
        with pytest.raises(Misconfigured, match="to a new token"):
            client.payment_accounts(["a"])
        assert not file.exists()


# Too many requests


def limited(value: str, date: str = "Fri, 20 Nov 2026 09:30:00 GMT") -> float | None:
    return retry_after(Answer(429, {"Retry-After": value, "Date": date}, None, is_json=False))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("86400", 30.0),
        ("Fri, 20 Nov 2026 09:30:12 GMT", 12.0),
        ("Fri, 20 Nov 2026 10:30:12 +0100", 12.0),
        ("Fri, 20 Nov 2026 09:30:12 -0000", 12.0),
        ("Fri, 20 Nov 2026 09:29:00 GMT", 0.0),
        ("Sat, 21 Nov 2026 09:30:00 GMT", 30.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("Fri, 99 Nov 2026 09:30:12 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert limited(value) == seconds


@pytest.mark.parametrize("date", ["", "today"])
def test_a_retry_date_without_the_answers_own_is_not_guessed(date: str) -> None:
    assert limited("Fri, 20 Nov 2026 09:30:12 GMT", date) is None


@pytest.mark.parametrize("value", ["1", "Fri, 20 Nov 2026 09:30:12 GMT", "soon"])
def test_too_many_requests_are_waited_out(value: str) -> None:
    left = [2]

    def answer(path: str, body: Any) -> Any:
        if left[0]:
            left[0] -= 1
            return 429, {"message": "slow down"}, {"Retry-After": value}
        return 200, {"instruments": []}

    with scripted(answer) as (client, _):
        assert client.payment_accounts(["a"]) == {"a": PaymentAccount(())}
        assert client.requests_made == 4


# Tokens


def with_tokens(script: Scripted, *, good_for: int) -> None:
    """Issue numbered tokens; the first ends after so many requests."""
    issued: list[str] = []
    used = [0]
    inner = script.answer

    def token() -> tuple[int, Any]:
        issued.append(f"token-{len(issued)}")
        return 200, {"access_token": issued[-1], "expires_in": 300}

    def answer(path: str, body: Any) -> Any:
        used[0] += 1
        bearer = script.headers[-1]["authorization"].removeprefix("Bearer ")
        if bearer == "token-0" and used[0] > good_for:
            return 403, {"message": "The access token is invalid"}
        return inner(path, body)

    script.token, script.answer = token, answer


@pytest.mark.parametrize("good_for", [0, 1, 20])
def test_a_token_that_ends_in_mid_batch_is_renewed_once_for_all_threads(good_for: int) -> None:
    ids = [str(number) for number in range(60)]
    with scripted(lambda path, body: (200, {"instruments": None}), concurrency=16) as (
        client,
        script,
    ):
        with_tokens(script, good_for=good_for)
        assert client.payment_accounts(ids) == dict.fromkeys(ids, PaymentAccount(()))
        assert script.calls.count("/token") == 2


def test_a_token_that_ends_between_pages_is_renewed_too() -> None:
    def answer(path: str, body: Any) -> tuple[int, Any]:
        more = {"hasNextPage": "after" not in body["query"], "endCursor": "c"}
        return 200, {"data": {"o0": node_of(items={"edges": [], "pageInfo": more})}}

    with scripted(answer) as (client, script):
        with_tokens(script, good_for=1)
        assert isinstance(client.orders(["a"])["a"], OrderRead)
        assert script.calls.count("/token") == 2


@pytest.mark.parametrize("expires_in", [0, -5, None, "soon", True, [], "NaN", "1e999", 1e300])
def test_a_token_without_a_sane_life_is_kept_for_a_while(expires_in: Any) -> None:
    with scripted(lambda path, body: (200, {"instruments": []})) as (client, script):
        script.token = lambda: (200, {"access_token": "abc", "expires_in": expires_in})
        for number in range(3):
            client.payment_accounts([str(number)])
        assert script.calls.count("/token") == 1


@pytest.mark.parametrize("value", ["a b", "a\nb", "\u20ac", "\u00e9", "", "a\x00", 5, None])
def test_a_token_that_fits_no_header_is_misconfigured(value: Any) -> None:
    with scripted(lambda path, body: (200, {})) as (client, script):
        script.token = lambda: (200, {"access_token": value})
        with pytest.raises(Misconfigured, match="answered 200 without a token"):
            client.payment_accounts(["a"])


# What NewStore cannot answer for


@pytest.mark.parametrize("status", [500, 504])
def test_an_order_no_request_with_it_is_answered_for_fails_alone(status: int) -> None:
    def answer(path: str, body: Any) -> tuple[int, Any]:
        ids = {key: value for key, value in body["variables"].items() if key.startswith("id")}
        if "bad" in ids.values():
            return status, "<html>"
        nodes = {f"o{key[2:]}": node_of(id=value) for key, value in ids.items()}
        return 200, {"data": dict.fromkeys(nodes) if "0000" in ids["id0"] else nodes}

    ids = [*(str(number) for number in range(20)), "bad", "z"]
    with scripted(answer, batch_size=11) as (client, _):
        found = client.orders(ids)
    assert {key for key, read in found.items() if isinstance(read, OrderFailed)} == {"bad"}
    assert set(found) == set(ids)
    assert f"answered {status}" in str(found["bad"])


def test_an_account_and_a_refund_nothing_is_answered_for_fail_alone() -> None:
    def answer(path: str, body: Any) -> tuple[int, Any]:
        if path.endswith("bad"):
            return 500, "<html>"
        if "00000000-" in path:
            return 404, {}
        return 200, {"instruments": [], "refund": {}}

    with scripted(answer) as (client, _):
        accounts = client.payment_accounts(["good", "bad"])
        refunds = client.refund_facts([("o", "good"), ("o", "bad")])
    assert accounts["good"] == PaymentAccount(())
    assert refunds["good"] == RefundFacts(None, is_historical=False, status="")
    assert isinstance(accounts["bad"], AccountFailed)
    assert isinstance(refunds["bad"], RefundFailed)
    assert "NewStore answered 500" in accounts["bad"].detail


def test_an_outage_that_begins_in_mid_batch_is_unavailable() -> None:
    lock, answered = threading.Lock(), [0]

    def answer(path: str, body: Any) -> tuple[int, Any]:
        with lock:
            answered[0] += 1
            return (200, {"instruments": []}) if answered[0] <= 20 else (503, "down")

    with scripted(answer) as (client, _), pytest.raises(Unavailable, match="503"):
        client.payment_accounts([str(number) for number in range(60)])


@pytest.mark.parametrize("method", ["payment_accounts", "refund_facts", "orders"])
def test_an_outage_is_noticed_by_each_thread_once_and_by_one_for_all(method: str) -> None:
    threads, attempts = 8, 4
    ids = [str(number) for number in range(100)]
    asked = [(order_id, order_id) for order_id in ids] if method == "refund_facts" else ids
    with scripted(lambda path, body: (503, "down"), batch_size=1) as (client, script):
        with pytest.raises(Unavailable, match="503"):
            getattr(client, method)(asked)
        assert len(script.calls) <= 1 + (threads + 1) * attempts


def test_an_outage_of_graphql_that_begins_in_mid_batch_is_unavailable() -> None:
    answered = [0]

    def answer(path: str, body: Any) -> tuple[int, Any]:
        answered[0] += 1
        if answered[0] > 3:
            return 503, "down"
        return 200, {"data": {"o0": node_of(id=body["variables"]["id0"])}}

    with (
        scripted(answer, batch_size=1, concurrency=1) as (client, _),
        pytest.raises(Unavailable, match="503"),
    ):
        client.orders([str(number) for number in range(10)])


def test_an_outage_is_noticed_before_a_batch_is_halved_to_its_end() -> None:
    with scripted(lambda path, body: (503, "down")) as (client, script):
        with pytest.raises(Unavailable, match="503"):
            client.orders([str(number) for number in range(50)])
        assert script.calls.count("/api/v1/org/data/query") == 2 * 4
