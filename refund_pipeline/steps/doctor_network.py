"""Are NewStore and NetSuite reachable, and does this machine know what time it is?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from refund_pipeline.domain.errors import PipelineError
from refund_pipeline.gateways.greeting import greet
from refund_pipeline.gateways.http import NoAnswer
from refund_pipeline.steps.doctor_findings import (
    Finding,
    Findings,
    NotGiven,
    error,
    not_checked,
    warning,
)

_CLOCK = "clock"
_REFUSED_FROM = timedelta(minutes=5)
"""NetSuite refuses signatures that are older or from further ahead (contract netsuite 1.3)."""
_WORTH_A_LOOK = timedelta(minutes=1)
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Reached:
    """A server answered; `skew` is by how much our clock is ahead of its, None if it did not say.

    Servers tell the time to the second.
    """

    skew: timedelta | None


def reach(
    area: str, address: Callable[[], str], *, fix: str, now: Callable[[], datetime]
) -> Reached | Finding:
    """Greet a system; return what stands in the way, if something does.

    `fix` is how to mend an address that cannot be had.
    """
    try:
        where = address()
    except NotGiven as missing:
        return not_checked(area, missing)
    except PipelineError as problem:
        return error(area, str(problem), fix)
    try:
        greeting = greet(area, where)
    except NoAnswer as problem:
        return error(
            area,
            f"{where} cannot be reached: {problem}",
            f"check the address in the {area.upper()}_ variables, and this machine's DNS, firewall"
            " and proxy",
        )
    if greeting.status >= _SERVER_ERROR:
        return error(
            area,
            f"{where} answers {greeting.status}, so nothing of it was checked",
            "try again later; if it stays so, ask whoever runs it",
        )
    return Reached(None if greeting.date is None else now() - greeting.date)


def check_clock(skews: Mapping[str, timedelta | None]) -> Findings:
    """Compare this machine's clock with those of the servers that said what time it is."""
    told = {system: skew for system, skew in skews.items() if skew is not None}
    if not told:
        return
    worst = max(abs(skew) for skew in told.values())
    listed = " and ".join(
        f"{abs(skew).total_seconds():.0f} s {'ahead of' if skew > timedelta(0) else 'behind'}"
        f" {system}'s"
        for system, skew in told.items()
    )
    what = f"the clock of this machine is {listed}"
    fix = "set the clock, best by NTP (timedatectl set-ntp true)"
    if worst >= _REFUSED_FROM:
        yield error(_CLOCK, f"{what}; NetSuite refuses signatures from five minutes on", fix)
    elif worst >= _WORTH_A_LOOK:
        yield warning(_CLOCK, what, fix)
    else:
        yield Finding(_CLOCK, f"the clock of this machine agrees with {' and '.join(told)}")
