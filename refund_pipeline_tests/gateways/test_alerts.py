"""Channels over HTTP: what arrives, what a failure says, and what a URL may be."""

import json
from collections.abc import Iterator

import pytest
import stamina

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.gateways.alerts import Alerts, Heartbeat, UnusableAlerts, channels
from refund_pipeline_tests.gateways.alert_makers import make_message, make_notice
from refund_pipeline_tests.gateways.scripted_server import (
    DROPPED,
    Reply,
    ScriptedServer,
    closed_port,
    scripted_server,
)

PATH = "/services/T000/B000/planted-slack-token"
OK = Reply(200, b"ok")


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


@pytest.fixture(params=["", "slack+"], ids=["webhook", "slack"])
def channel(request: pytest.FixtureRequest, server: ScriptedServer) -> Iterator[Alerts]:
    server.say(OK)
    (opened,) = channels(f"{request.param}{server.url}{PATH}?key=planted")
    yield opened
    opened.close()


def test_a_message_is_one_post_of_json_to_the_whole_url(channel, server) -> None:
    channel.send(make_message(make_notice(), make_notice("over", key="held:closed_period")))
    (seen,) = server.seen
    assert (seen.method, seen.path, seen.query) == ("POST", PATH, {"key": "planted"})
    assert seen.headers["content-type"] == "application/json"
    assert "3 refunds held: overpaid" in seen.body.decode()
    assert "authorization" not in seen.headers


@pytest.mark.parametrize("first", [DROPPED, Reply(503), Reply(429)])
def test_a_message_without_an_answer_or_refused_for_now_is_sent_once_more(
    channel, server, first
) -> None:
    server.say(first, OK)
    channel.send(make_message())
    assert [seen.body for seen in server.seen] == [server.seen[0].body] * 2


@pytest.mark.parametrize("reply", [DROPPED, Reply(500), Reply(429)])
def test_a_channel_that_stays_down_is_unavailable_and_says_nothing_of_its_url(
    channel, server, reply
) -> None:
    server.say(reply)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1") as caught:
        channel.send(make_message())
    assert "planted" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 410])
def test_a_channel_that_refuses_is_misconfigured_and_asked_once(channel, server, status) -> None:
    server.say(Reply(status, headers={"location": "https://elsewhere.example/"}))
    with pytest.raises(Misconfigured, match=str(status)) as caught:
        channel.send(make_message())
    assert "planted" not in str(caught.value)
    assert len(server.seen) == 1


def test_a_name_tells_kind_and_host_and_no_secret(channel) -> None:
    assert channel.name.split() in (["webhook", "127.0.0.1"], ["slack", "127.0.0.1"])
    assert "planted" not in repr(channel) + str(channel)


def test_nobody_there_is_unavailable() -> None:
    (channel,) = channels(closed_port() + PATH)
    with pytest.raises(Unavailable):
        channel.send(make_message())
    channel.close()


def test_the_json_is_as_documented(server) -> None:
    server.say(OK)
    (channel,) = channels(server.url + "/hook")
    channel.send(make_message())
    channel.send(make_message())
    channel.close()
    first, second = (seen.document for seen in server.seen)
    assert first == second
    assert first.pop("id")
    assert first == {
        "format": 1,
        "source": "refund-pipeline",
        "tenant": "acme",
        "sent_at": "2026-11-20T12:00:00Z",
        "summary": "[refunds acme] New: 3 refunds held: overpaid",
        "alerts": [
            {
                "key": "held:overpaid",
                "news": "new",
                "severity": "error",
                "title": "3 refunds held: overpaid",
                "text": "3 refunds (37.50 USD) wait for a person: <they> & overpaid.",
                "since": "2026-11-20T10:00:00Z",
                "what_to_do": "See the cure.",
                "runbook": "docs/operations.md#held-refunds",
                "numbers": {"refunds": 3, "amount": "37.50 USD"},
            }
        ],
    }


def test_another_message_has_another_id(server) -> None:
    server.say(OK)
    (channel,) = channels(server.url + "/hook")
    channel.send(make_message())
    channel.send(make_message(make_notice("repeated")))
    channel.close()
    assert len({seen.document["id"] for seen in server.seen}) == 2


def test_slack_s_text_is_escaped_readable_and_short_enough(server) -> None:
    server.say(OK)
    (channel,) = channels(f"slack+{server.url}{PATH}")
    notices = [make_notice(key=f"run_failed:sync_refunds:{n}") for n in range(400)]
    channel.send(make_message(make_notice("over"), *notices))
    channel.close()
    (seen,) = server.seen
    assert list(seen.document) == ["text"]
    text = seen.document["text"]
    assert text.startswith("[refunds acme] 400 new, 1 over\n")
    assert "&lt;they&gt; &amp; overpaid" in text
    assert text.endswith("… and 386 more: refund-pipeline watch shows all.")
    assert len(text) < 10_000


def test_channels_are_separated_by_spaces_commas_or_lines_and_named_apart() -> None:
    setting = (
        " https://hooks.slack.com/services/x, https://a.example/1\n"
        "slack+https://chat.example/hook https://a.example/2,"
        "smtps://u:p@mail.example/?from=a@b.example&to=c@d.example,e@f.example ,"
    )
    opened = channels(setting)
    assert [channel.name for channel in opened] == [
        "slack hooks.slack.com",
        "webhook a.example",
        "slack chat.example",
        "webhook a.example (2)",
        "mail mail.example",
        "mail mail.example (2)",
    ]


@pytest.mark.parametrize("setting", ["", "  ", ",\n"])
def test_no_url_is_no_channel(setting) -> None:
    assert channels(setting) == ()


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example/planted",
        "http://10.0.0.1/planted",
        "http://127.0.0.1.example.com/planted",
        "https://user:planted@a.example/",
        "https://planted@a.example/",
        "https:///planted",
        "https://a.example:port/planted",
        "https://[::1/planted",
        "https://a.example/planted#x",
        "https://a.example/pl\\anted",
        "ftp://a.example/planted",
        "planted",
        "slack+http://a.example/planted",
        "slack+https://",
        "file:///planted",
    ],
)
def test_what_cannot_be_a_channel_is_one_that_says_so_and_leaves_the_others_alone(url) -> None:
    good, bad = (
        channels(f"https://a.example/hook {url}") if "://" in url else (None, *channels(url))
    )
    assert isinstance(bad, UnusableAlerts)
    with pytest.raises(Misconfigured, match="REFUNDS_ALERTS, entry") as caught:
        bad.send(make_message())
    assert "planted" not in str(caught.value) + bad.name
    assert good is None or good.name == "webhook a.example"


def test_a_heartbeat_is_a_get_of_its_url(server) -> None:
    server.say(OK)
    heartbeat = Heartbeat(f" {server.url}/ping/planted ")
    heartbeat.beat()
    heartbeat.close()
    assert [(seen.method, seen.path) for seen in server.seen] == [("GET", "/ping/planted")]


@pytest.mark.parametrize(
    ("reply", "error"), [(Reply(404), Misconfigured), (Reply(503), Unavailable)]
)
def test_a_heartbeat_that_does_not_arrive_says_so_without_its_url(server, reply, error) -> None:
    server.say(reply)
    heartbeat = Heartbeat(server.url + "/planted")
    with pytest.raises(error) as caught:
        heartbeat.beat()
    heartbeat.close()
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://a.example/planted", "planted", "https://x:planted@a.b/"])
def test_a_heartbeat_goes_nowhere_in_the_clear(url) -> None:
    with pytest.raises(Misconfigured, match="REFUNDS_HEARTBEAT_URL") as caught:
        Heartbeat(url).beat()
    assert "planted" not in str(caught.value)


def test_the_documents_are_json_whatever_the_words_are(server) -> None:
    server.say(OK)
    for scheme in ("", "slack+"):
        (channel,) = channels(f"{scheme}{server.url}/hook")
        channel.send(make_message(make_notice(title='a "quote"\n\x00\x1b[0m ü', text="\\")))
        channel.close()
    assert [json.loads(seen.body) is not None for seen in server.seen] == [True, True]
