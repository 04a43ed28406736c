"""Arbitrary bytes and almost-valid events: no crash, nothing unaccounted.

12,000 cases here; more of the parser alone are in `domain/test_events_fuzz.py`.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refund_pipeline.domain.events import OtherEvent, RefundEvent, Rejected, parse_line
from refund_pipeline.receiver.app import create_app
from refund_pipeline_tests.fakes import event_line
from refund_pipeline_tests.receiver.asgi import SETTINGS, Answer, KeptFiles, request

EVENT = json.loads(event_line(1))
CASES = settings(
    max_examples=3_000,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

HALF_AS_MANY = settings(CASES, max_examples=1_500)
"""Two bodies each."""


class Bench:
    """One app on one loop for many cases."""

    def __init__(self) -> None:
        self.writer = KeptFiles()
        self.app = create_app(lambda: SETTINGS, writer=lambda _settings: self.writer)
        self.loop = asyncio.new_event_loop()

    def post(self, body: bytes) -> Answer:
        self.writer.files.clear()
        return self.loop.run_until_complete(request(self.app, body))


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.loop.run_until_complete(made.loop.shutdown_default_executor())
    made.loop.close()


def accounted(bench: Bench, body: bytes) -> None:
    """Post, and check that the body is refused, not asked for, or in the bucket as it was sent."""
    answer = bench.post(body)
    assert answer.status in {200, 400}
    if answer.status == 400 or answer.document["result"] != "stored":
        assert bench.writer.lines == []
        return
    (line,) = bench.writer.lines
    assert line == body.replace(b"\r", b" ").replace(b"\n", b" ").strip(b" \t")
    assert isinstance(parse_line(line, tenant="demo"), (RefundEvent, OtherEvent, Rejected))


anything: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@CASES
@given(body=st.binary(max_size=300))
def test_arbitrary_bytes(bench: Bench, body: bytes) -> None:
    accounted(bench, body)


@CASES
@given(document=anything, indent=st.none() | st.integers(0, 2))
def test_arbitrary_json(bench: Bench, document: Any, indent: int | None) -> None:
    accounted(bench, json.dumps(document, indent=indent).encode())


@HALF_AS_MANY
@given(
    name=st.sampled_from(sorted(EVENT)),
    value=anything,
    field=st.sampled_from(sorted(EVENT["payload"])),
    inner=anything,
    indent=st.none() | st.integers(0, 2),
)
def test_events_with_one_field_gone_wrong(
    bench: Bench, name: str, value: Any, field: str, inner: Any, indent: int | None
) -> None:
    payload = {**EVENT["payload"], field: inner}
    for document in ({**EVENT, name: value}, {**EVENT, "payload": payload}):
        accounted(
            bench,
            json.dumps(document, indent=indent, ensure_ascii=False).encode(
                "utf-8", "surrogatepass"
            ),
        )


@CASES
@given(data=st.data())
def test_events_with_bytes_cut_out_or_put_in(bench: Bench, data: st.DataObject) -> None:
    whole = json.dumps(EVENT).encode()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 20)))
    accounted(bench, whole[:start] + data.draw(st.binary(max_size=6)) + whole[end:])
