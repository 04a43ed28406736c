"""The sandbox in a process of its own, so that it does not share the interpreter that is measured.

`other_world` yields a proxy of a `World`: arguments and answers are plain values.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from multiprocessing import get_context
from multiprocessing.managers import BaseManager
from pathlib import Path

import yaml

from refund_pipeline.sandbox.netsuite.latency import Latency
from refund_pipeline.sandbox.newstore_front import Front
from refund_pipeline.sandbox.sandbox import MAPPING, Sandbox

_POOL = 1000
"""More than anybody uses: the limit of a benchmark is its own concurrency."""


@dataclass(frozen=True, slots=True)
class Meter:
    """What the sandbox has seen since it was last read."""

    erp_requests: int
    erp_writes: int
    write_seconds: float
    """Mean latency of the writes, as it lasted here."""
    newstore: dict[str, int]
    """Requests by kind."""


class World:
    """A retailer and the three systems; `state` is a directory of its own."""

    def __init__(self, seed: int, state: str, *, shows_correlation: bool) -> None:
        self._sandbox = Sandbox(seed, state=Path(state), show_correlation_id=shows_correlation)
        self._sandbox.netsuite.governance.account_limit = _POOL
        self._erp_seen = 0
        self._newstore_seen: dict[str, int] = {}

    def start(self) -> None:
        self._sandbox.start()

    def stop(self) -> None:
        self._sandbox.stop()

    def environment(self, mapping: str, *, returns: str = "refund_resource") -> dict[str, str]:
        """Return the pipeline's variables; writes a mapping whose gates let everything through."""
        document = yaml.safe_load(MAPPING.read_text(encoding="utf-8"))
        document["gates"] = {}
        document["policies"]["returns"] = returns
        Path(mapping).write_text(yaml.safe_dump(document), encoding="utf-8")
        return {**self._sandbox.environment(), "REFUNDS_MAPPING": mapping}

    def land(self, day: date, count: int, *, files: int = 1) -> list[tuple[str, str, str]]:
        """Land refunds on a day, spread over its first hours.

        Returns refund id, order id and order number of each.
        """
        retailer, start = self._sandbox.retailer, datetime.combine(day, time(), timezone.utc)
        made = []
        for number in range(files):
            at = start + timedelta(seconds=1 + number)
            share = count // files + (number < count % files)
            refunds = [retailer.any_refund(at - timedelta(seconds=1)) for _ in range(share)]
            retailer.land(*refunds, at=at)
            made += [(one.refund_id, one.order_id, one.order_number) for one in refunds]
        return made

    def land_now(self) -> tuple[str, str, str]:
        """Land one refund at this moment; returns what `land` does."""
        now = datetime.now(timezone.utc)
        made = self._sandbox.retailer.any_refund(now)
        self._sandbox.retailer.land(made, at=now)
        return made.refund_id, made.order_id, made.order_number

    def slow_netsuite(self, scale: float | None, seed: int) -> None:
        """Let requests take as long as in a real account, times `scale`; None: no time at all."""
        fresh = Latency(scale=scale, seed=seed)
        self._sandbox.netsuite.latency = fresh
        self._sandbox.netsuite._front._latency = fresh

    def slow_newstore(self, seconds: float) -> None:
        """Let every authorised request take so long."""
        let_in = Front._let_in

        async def _late(front, *asked):
            await asyncio.sleep(seconds)
            return await let_in(front, *asked)

        Front._let_in = _late  # type: ignore[method-assign]  # of this process alone

    def limit_newstore(self, calls_per_second: int) -> None:
        """Refuse more calls than these within a second."""
        self._sandbox.newstore.limits.newer(calls_per_second)

    def read_meter(self) -> Meter:
        """Return what was asked since the last reading."""
        audit, latency = self._sandbox.netsuite.audit.requests, self._sandbox.netsuite.latency
        new = audit[self._erp_seen :]
        self._erp_seen = len(audit)
        writes = [one for one in new if one.method == "POST" and one.path.endswith("cashRefund")]
        seconds = [latency.here(one.latency) for one in writes]
        counts = dict(self._sandbox.newstore.requests)
        before, self._newstore_seen = self._newstore_seen, counts
        return Meter(
            erp_requests=len(new),
            erp_writes=len(writes),
            write_seconds=sum(seconds) / len(seconds) if seconds else 0.0,
            newstore={
                kind: number - before.get(kind, 0)
                for kind, number in counts.items()
                if number > before.get(kind, 0)
            },
        )

    def records(self) -> tuple[int, int]:
        """Return how many records the ERP has, and of how many refunds."""
        ids = [
            record.custom["custbody_nst_refund_id"]
            for record in self._sandbox.netsuite.cash_refunds()
        ]
        return len(ids), len(set(ids))


class _Process(BaseManager):
    pass


_Process.register("World", World)


@contextlib.contextmanager
def other_world(seed: int, place: Path, *, shows_correlation: bool = False) -> Iterator[World]:
    """Run a world in a process of its own for the length of a `with` block."""
    state = place / "sandbox"
    state.mkdir()
    with _Process(ctx=get_context("spawn")) as process:
        world: World = process.World(  # type: ignore[attr-defined]
            seed, str(state), shows_correlation=shows_correlation
        )
        world.start()
        try:
            yield world
        finally:
            world.stop()
