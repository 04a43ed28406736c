"""Two, three and four runs of one landing day at once, as if the queue had no limit.

Half of the rounds on SQLite, half on PostgreSQL. In each, one of the runs may be killed while the
others go on, and writes get unclear answers; what is outstanding then is for one last, quiet run.
"""

import contextlib
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from refund_pipeline.demo import judge
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.sandbox.netsuite.faults import Fault
from refund_pipeline.sandbox.retailer import SandboxRefund
from refund_pipeline.sandbox.sandbox import Sandbox
from refund_pipeline_tests.chaos.rows import CampaignFailed, Row
from refund_pipeline_tests.chaos.run_processes import start_run
from refund_pipeline_tests.gateways.conftest import own_database

ROUNDS = 12
_REFUNDS = 25
_AT_ONCE = (2, 3, 4)
_APART = 3.0
"""Seconds within which the runs of a round are started."""
_LATENCY = 0.1
_FAULTS = {
    Fault.LOSE_ANSWER: 0.05,
    Fault.FAIL_AFTER_COMMIT: 0.05,
    Fault.REFUSE_BUT_CREATE: 0.03,
    Fault.ANSWER_LATE: 0.05,
    Fault.DROP_BEFORE_COMMIT: 0.05,
}
_PATIENCE = 600.0


@dataclass(slots=True)
class _Rounds:
    """What happened."""

    refunds: list[SandboxRefund] = field(default_factory=list)
    runs: int = 0
    killed: int = 0
    ends: Counter[str] = field(default_factory=Counter)


def same_day_at_once(seed: int, place: Path, *, rounds: int = ROUNDS) -> Row:
    """Run the rounds; each has a day, a sandbox and a ledger of its own."""
    began = time.monotonic()
    chance = random.Random(seed)
    lost, twice, total = 0, 0, _Rounds()
    for number in range(rounds):
        home = place / str(number)
        home.mkdir()
        with _ledger_url(home, on_postgresql=number % 2 == 1) as url:
            lost_here, twice_here = _round(seed + number, home, url, chance, total)
        lost, twice = lost + lost_here, twice + twice_here
    ends = ", ".join(f"{count} {end}" for end, count in sorted(total.ends.items()))
    return Row(
        campaign="overlapping runs",
        seed=seed,
        cases=rounds,
        refunds=len(total.refunds),
        faults=f"{total.runs} runs of the same day, 2 to 4 at once, half on SQLite, half on "
        f"PostgreSQL; {total.killed} killed meanwhile; unclear ERP answers",
        lost=lost,
        twice=twice,
        outcome=f"runs: {ends}",
        seconds=time.monotonic() - began,
    )


@contextlib.contextmanager
def _ledger_url(home: Path, *, on_postgresql: bool) -> Iterator[str]:
    if not on_postgresql:
        yield f"sqlite:///{home / 'ledger.db'}"
        return
    with own_database() as url:
        yield url.render_as_string(hide_password=False)


def _round(
    seed: int, home: Path, url: str, chance: random.Random, total: _Rounds
) -> tuple[int, int]:
    with Sandbox(seed, state=home) as sandbox:
        now = datetime.now(timezone.utc)
        day = now - timedelta(days=chance.randrange(2))
        refunds = [sandbox.retailer.any_refund(day) for _ in range(_REFUNDS)]
        for part in (refunds[::2], refunds[1::2], refunds[:5]):
            sandbox.retailer.land(*part, at=day)
        sandbox.netsuite.latency.constant = _LATENCY
        sandbox.netsuite.faults.at_random(_FAULTS, seed=seed)
        environment = {**sandbox.environment(), "REFUNDS_LEDGER_URL": url}
        runs = []
        for _ in range(chance.choice(_AT_ONCE)):
            runs.append(start_run(day.date(), environment, home))
            time.sleep(chance.random() * _APART)
        if chance.random() < 0.5:
            _kill_while_posting(sandbox, chance.choice(runs), chance)
            total.killed += 1
        total.ends.update(_end(code) for code in _codes(runs))
        sandbox.netsuite.faults.at_random({})
        if _codes([start_run(day.date(), environment, home)]) != [0]:
            raise CampaignFailed("a quiet run after all others failed")
        total.runs += len(runs)
        total.refunds += refunds
        ledger = Ledger(url, clock=lambda: datetime.now(timezone.utc))
        held = {row.refund_id for row in ledger.refunds(statuses=("held",), limit=1000)}
        ledger.close()
        verdict = judge(refunds, sandbox.netsuite.cash_refunds(), held)
        if verdict.wrong or held or sandbox.netsuite.audit.second_payouts:
            raise CampaignFailed(f"wrong in the ERP: {verdict.wrong}; held: {sorted(held)}")
        return len(verdict.lost), len(verdict.twice)


def _kill_while_posting(
    sandbox: Sandbox, run: "subprocess.Popen[bytes]", chance: random.Random
) -> None:
    wanted = chance.randrange(1, _REFUNDS // 2)
    deadline = time.monotonic() + _PATIENCE
    while sandbox.netsuite.audit.posts < wanted and run.poll() is None:
        if time.monotonic() > deadline:
            raise CampaignFailed("nothing is posted")
        time.sleep(0.01)
    run.kill()


def _end(code: int) -> str:
    return "killed" if code < 0 else "failed" if code else "ended well"


def _codes(runs: "list[subprocess.Popen[bytes]]") -> list[int]:
    deadline = time.monotonic() + _PATIENCE
    return [run.wait(timeout=max(deadline - time.monotonic(), 0.1)) for run in runs]
