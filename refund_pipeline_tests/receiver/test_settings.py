"""The receiver's settings: nothing weak, nothing missing."""

import pytest

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.receiver.settings import ReceiverSettings, read_settings

GOOD = {
    "REFUNDS_RECEIVER_KEY": "0123456789abcdef",
    "REFUNDS_LANDING_URL": "s3://bucket/events",
    "REFUNDS_TENANT": "demo",
}


def test_what_is_not_said_has_a_default() -> None:
    assert read_settings(GOOD) == ReceiverSettings(
        "s3://bucket/events", "demo", ("0123456789abcdef",), frozenset({"refund_request.issued"})
    )


def test_both_keys_further_events_and_the_interval_are_read() -> None:
    more = {
        "REFUNDS_RECEIVER_KEY_PREVIOUS": "f" * 16,
        "REFUNDS_RECEIVER_EVENTS": " order.created, return.processed ,",
        "REFUNDS_RECEIVER_INTERVAL": "0",
    }
    settings = read_settings(GOOD | more)
    assert settings.keys == ("0123456789abcdef", "f" * 16)
    assert settings.events == {"order.created", "return.processed"}
    assert settings.interval == 0.0
    assert not settings.stores("refund_request.issued")


@pytest.mark.parametrize("name", sorted(GOOD))
@pytest.mark.parametrize("value", ["", "  "])
def test_what_is_missing_keeps_it_from_starting(name: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=name):
        read_settings(GOOD | {name: value})


@pytest.mark.parametrize(
    "wrong",
    [
        {"REFUNDS_RECEIVER_KEY": "short"},
        {"REFUNDS_RECEIVER_KEY": "schlüssel-schlüssel"},
        {"REFUNDS_RECEIVER_KEY_PREVIOUS": "short"},
        {"REFUNDS_RECEIVER_INTERVAL": "soon"},
        {"REFUNDS_RECEIVER_INTERVAL": "-1"},
        {"REFUNDS_RECEIVER_INTERVAL": "nan"},
        {"REFUNDS_RECEIVER_INTERVAL": "60"},
        {"REFUNDS_LANDING_URL": "https://bucket"},
    ],
)
def test_what_cannot_be_right_is_told_without_the_key(wrong: dict[str, str]) -> None:
    with pytest.raises(Misconfigured) as caught:
        read_settings(GOOD | wrong)
    for key in ("short", "schlüssel", GOOD["REFUNDS_RECEIVER_KEY"]):
        assert key not in str(caught.value)


def test_keys_are_not_shown() -> None:
    assert GOOD["REFUNDS_RECEIVER_KEY"] not in repr(read_settings(GOOD))
