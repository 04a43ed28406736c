"""The receiver's settings: what is missing or weak keeps it from starting."""

import dataclasses

import pytest

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.receiver.settings import (
    ReceiverSettings,
    read_settings,
    settings_from_environment,
)

KEY = "0123456789abcdef"
GOOD = {
    "REFUNDS_RECEIVER_KEY": KEY,
    "REFUNDS_LANDING_URL": "s3://bucket/events",
    "REFUNDS_TENANT": "demo",
}


def test_what_is_not_said_has_a_default() -> None:
    assert read_settings(GOOD) == ReceiverSettings(
        landing_url="s3://bucket/events",
        tenant="demo",
        keys=(KEY.encode(),),
        events=frozenset({"refund_request.issued"}),
        interval=0.2,
    )


def test_both_keys_further_events_and_the_interval_are_read_without_the_space_around_them() -> None:
    settings = read_settings(
        GOOD
        | {
            "REFUNDS_TENANT": " demo\n",
            "REFUNDS_RECEIVER_KEY_PREVIOUS": f" {'f' * 16}\n",
            "REFUNDS_RECEIVER_EVENTS": " order.opened, refund_request.issued ,",
            "REFUNDS_RECEIVER_INTERVAL": "0",
        }
    )
    assert settings.tenant == "demo"
    assert settings.keys == (KEY.encode(), b"f" * 16)
    assert settings.events == {"order.opened", "refund_request.issued"}
    assert settings.interval == 0


def test_they_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("REFUNDS_RECEIVER_KEY_PREVIOUS", raising=False)
    assert settings_from_environment().keys == (KEY.encode(),)


@pytest.mark.parametrize("name", sorted(GOOD))
@pytest.mark.parametrize("value", ["", "  "])
def test_what_is_missing_keeps_it_from_starting(name: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=f"{name} must be set"):
        read_settings(GOOD | {name: value})


def test_everything_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(Misconfigured) as caught:
        read_settings({})
    assert all(name in str(caught.value) for name in GOOD)


@pytest.mark.parametrize("name", ["REFUNDS_RECEIVER_KEY", "REFUNDS_RECEIVER_KEY_PREVIOUS"])
@pytest.mark.parametrize(
    "weak", ["short", "fifteen-letters", "schlüssel-schlüssel", "two words are none", "x\x00" * 16]
)
def test_a_weak_key_or_one_no_header_can_carry_is_refused_and_not_repeated(
    name: str, weak: str
) -> None:
    with pytest.raises(Misconfigured, match=name) as caught:
        read_settings(GOOD | {name: weak})
    assert weak not in str(caught.value)


@pytest.mark.parametrize("interval", ["soon", "-1", "nan", "inf", "2.1", "1e9"])
def test_an_interval_that_no_answer_can_wait_for_is_refused(interval: str) -> None:
    with pytest.raises(Misconfigured, match="REFUNDS_RECEIVER_INTERVAL"):
        read_settings(GOOD | {"REFUNDS_RECEIVER_INTERVAL": interval})


def test_a_landing_url_that_is_none_is_refused_with_its_variable() -> None:
    with pytest.raises(Misconfigured, match=r"REFUNDS_LANDING_URL.*s3://bucket/prefix"):
        read_settings(GOOD | {"REFUNDS_LANDING_URL": "https://bucket"})


def test_a_list_of_events_that_would_lose_every_refund_is_refused() -> None:
    with pytest.raises(Misconfigured, match=r"REFUNDS_RECEIVER_EVENTS.*refund_request\.issued"):
        read_settings(GOOD | {"REFUNDS_RECEIVER_EVENTS": "order.opened"})


def test_which_events_are_stored() -> None:
    settings = read_settings(GOOD)
    everything = read_settings(GOOD | {"REFUNDS_RECEIVER_EVENTS": "*"})
    for name, is_stored in (
        ("refund_request.issued", True),
        (" refund_request.issued\t", True),
        ("Refund_Request.Issued", False),
        ("order.opened", False),
        ("*", False),
        ("", False),
    ):
        assert settings.stores(name) is is_stored
        assert everything.stores(name)


def test_keys_are_not_shown_and_settings_do_not_change() -> None:
    settings = read_settings(GOOD)
    assert KEY not in repr(settings)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.tenant = "other"  # type: ignore[misc]


def test_numbers_need_a_key_of_their_own_and_take_the_ledger_where_it_is_named() -> None:
    more = {"REFUNDS_RECEIVER_METRICS_KEY": " " + "m" * 16, "REFUNDS_LEDGER_URL": "sqlite:///x"}
    settings = read_settings(GOOD | more)
    assert (settings.metrics_key, settings.ledger_url) == (b"m" * 16, "sqlite:///x")
    assert "mmmm" not in repr(settings)
    assert read_settings(GOOD).metrics_key is None


@pytest.mark.parametrize(
    ("key", "problem"), [("short", "too weak"), (KEY, "who reads numbers could send refunds")]
)
def test_a_key_for_numbers_that_is_weak_or_sends_events_keeps_it_from_starting(
    key: str, problem: str
) -> None:
    with pytest.raises(Misconfigured, match=problem):
        read_settings(GOOD | {"REFUNDS_RECEIVER_METRICS_KEY": key})
