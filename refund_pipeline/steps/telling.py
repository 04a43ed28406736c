"""Telling people what is news: claim it, tell every channel at once, record who took it.

Which news there is, `domain/alerts.py` decides. A channel that fails, or hangs, keeps neither the
others nor the look from going on; it is told at the next look.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from refund_pipeline.domain.alerts import Notice, Remembered, Settlement, Situation
from refund_pipeline.domain.errors import PipelineError
from refund_pipeline.gateways.alert_texts import Message
from refund_pipeline.gateways.alerts import Alerts

SECONDS = 40.0
"""For all channels together: a tick of Dagster lasts 60 s at most."""


class Memory(Protocol):
    """What remembers what people were told: the ledger, or a file (`gateways/alert_file.py`)."""

    def claim(
        self,
        seen: Sequence[Situation],
        *,
        looked_at: Collection[str],
        channels: Sequence[str],
        now: datetime,
    ) -> Settlement:
        """Settle what is seen, and claim what is to be told."""

    def record_told(
        self,
        claimed: Sequence[Remembered],
        delivered: Mapping[str, Collection[str]],
        *,
        now: datetime,
    ) -> None:
        """Record, by key, which channels took the messages."""


@dataclass(frozen=True, slots=True)
class Told:
    """What was news, and the channels that did not take it, with the reason."""

    notices: tuple[Notice, ...] = ()
    undelivered: tuple[tuple[str, str], ...] = ()


def tell(
    memory: Memory,
    seen: Sequence[Situation],
    *,
    looked_at: Collection[str],
    channels: Sequence[Alerts],
    tenant: str,
    clock: Callable[[], datetime],
) -> Told:
    """Tell what is news of these situations, whose kinds were `looked_at`.

    Raises:
        Unavailable, Misconfigured: the memory cannot be used. What was told before that is told
            again by a later look.
    """
    now = clock()
    settled = memory.claim(
        seen, looked_at=looked_at, channels=[channel.name for channel in channels], now=now
    )
    messages = {
        channel: Message(tenant, now, notices)
        for channel in channels
        if (notices := tuple(one for one in settled.notices if channel.name in one.channels))
    }
    problems = send(messages)
    delivered = {
        notice.situation.key: [name for name in notice.channels if name not in problems]
        for notice in settled.notices
    }
    if delivered:
        memory.record_told(settled.rows, delivered, now=clock())
    return Told(settled.notices, tuple(problems.items()))


def send(messages: Mapping[Alerts, Message], *, seconds: float = SECONDS) -> dict[str, str]:
    """Send all messages at the same time; return what went wrong, by channel."""
    if not messages:
        return {}
    pool = ThreadPoolExecutor(max_workers=len(messages))
    sent = {pool.submit(_problem, channel, one): channel for channel, one in messages.items()}
    finished, hanging = wait(sent, timeout=seconds)
    pool.shutdown(wait=False)
    problems = {sent[one].name: problem for one in finished if (problem := one.result())}
    late = {sent[one].name: f"it took longer than {seconds:.0f} s" for one in hanging}
    return dict(sorted({**problems, **late}.items()))


def _problem(channel: Alerts, message: Message) -> str | None:
    try:
        channel.send(message)
    except PipelineError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001  (a defect of one channel must not silence the others)
        return f"it failed in a way nobody expected ({type(error).__name__})"
    return None
