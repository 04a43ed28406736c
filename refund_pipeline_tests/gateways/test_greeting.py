"""A server is greeted without credentials, and says what time it is there."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest

from refund_pipeline.gateways import greeting as greeting_module
from refund_pipeline.gateways.greeting import greet
from refund_pipeline.gateways.http import NoAnswer
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


def test_any_answer_will_do_and_its_date_is_read(server: ScriptedServer) -> None:
    server.say(Reply(401))
    greeting = greet("NetSuite", server.url)
    assert greeting.status == 401
    assert greeting.date is not None
    assert abs(greeting.date - datetime.now(timezone.utc)) < timedelta(hours=1)
    (seen,) = server.seen
    assert (seen.method, seen.path, "authorization" in seen.headers) == ("GET", "/", False)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Fri, 20 Nov 2026 12:00:00 GMT", datetime(2026, 11, 20, 12, tzinfo=timezone.utc)),
        ("Fri, 20 Nov 2026 12:00:00 -0000", datetime(2026, 11, 20, 12, tzinfo=timezone.utc)),
        ("Fri, 20 Nov 2026 13:00:00 +0100", datetime(2026, 11, 20, 12, tzinfo=timezone.utc)),
        ("high noon", None),
        ("", None),
    ],
)
def test_dates_are_utc_and_what_is_none_is_none(text: str, moment: datetime | None) -> None:
    assert greeting_module._moment(text) == moment


def test_a_redirect_is_an_answer_and_is_not_followed(server: ScriptedServer) -> None:
    server.say(Reply(302, headers={"location": closed_port()}))
    assert greet("NetSuite", server.url).status == 302


def test_silence_is_no_answer() -> None:
    with pytest.raises(NoAnswer, match="NetSuite gave no answer"):
        greet("NetSuite", closed_port())
