"""Days in the life of the sandbox's retailer: the demo's day, and the history before it.

Only what lands and when; what a refund is made of is the retailer's.
"""

import random
from collections.abc import Sequence
from datetime import datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, TypeAlias

from refund_pipeline.sandbox.event_lines import envelope, impossible, republished
from refund_pipeline.sandbox.retail import (
    ADYEN,
    CASH,
    GIFT_CARD,
    PAYPAL,
    STRIPE,
    DemoDay,
    Kind,
    SandboxRefund,
    Tender,
)

if TYPE_CHECKING:
    from refund_pipeline.sandbox.retailer import Retailer

Recipe: TypeAlias = tuple[Kind, str, Tender, Tender | None]

_DEMO: tuple[tuple[int, Recipe], ...] = (
    (8, ("store", "USD", ADYEN, None)),
    (5, ("store", "USD", CASH, None)),
    (4, ("store", "USD", GIFT_CARD, None)),
    (3, ("store", "USD", ADYEN, GIFT_CARD)),
    (3, ("endless_aisle", "USD", ADYEN, None)),
    (6, ("web", "USD", STRIPE, None)),
    (2, ("web", "USD", STRIPE, ADYEN)),
    (2, ("web_unknown", "USD", ADYEN, None)),
    (5, ("store", "EUR", ADYEN, None)),
    (3, ("store", "EUR", CASH, None)),
    (2, ("store", "EUR", CASH, GIFT_CARD)),
    (4, ("web", "EUR", STRIPE, None)),
    (2, ("web", "EUR", GIFT_CARD, None)),
    (3, ("store", "JPY", CASH, None)),
    (2, ("store", "JPY", ADYEN, None)),
    (1, ("store", "JPY", GIFT_CARD, None)),
    (1, ("endless_aisle", "JPY", STRIPE, None)),
    (2, ("web", "JPY", STRIPE, None)),
)
"""58 refunds; a second one of an order and one of an unmapped tender make 60."""

_LATE_SECONDS = (15, 20, 26, 33, 40)
_FILES = 6
_WINDOW = timedelta(minutes=10)
_FILE_EVERY = timedelta(minutes=5)
_OTHER_KINDS = ("order.created", "order.completed", "order.items_cancelled", "return.processed")
_OTHER_EVENTS = 9
_DUPLICATES = 4


def any_recipe(chance: random.Random) -> Recipe:
    """Choose a kind of refund that can be posted."""
    return chance.choice([recipe for _, recipe in _DEMO])


def demo_day(retailer: "Retailer", chance: random.Random, now: datetime) -> DemoDay:
    """Land six files of 60 refunds on the landing day of `now`, with all that can be wrong in them.

    Duplicates in the same and in a later file, other events, two bad lines, an unmapped tender, two
    equal refunds of one order, and five refunds whose payments appear 15 to 40 s after `now`.
    """
    now = now.astimezone(timezone.utc)
    times = _file_times(now)
    refunds = _demo_refunds(retailer, chance, now, times)
    late = tuple(one for one in refunds if one.payments_available_at > now)
    contents = _with_disturbances(retailer, chance, refunds, times)
    files = []
    for number, (at, lines) in enumerate(zip(times, contents, strict=True)):
        gzip, trailing_newline = number == 2, number != 4  # noqa: PLR2004 - one file of each
        files.append(
            retailer.landing.land(lines, at=at, gzip=gzip, trailing_newline=trailing_newline)
        )
    held = sum(refund.expected == "held" for refund in refunds)
    return DemoDay(
        landing_day=now.date(),
        files=tuple(files),
        refunds=refunds,
        late=late,
        posted=len(refunds) - held,
        held=held,
        rejected=2,
        duplicates=_DUPLICATES,
        other_events=_OTHER_EVENTS,
    )


def history(
    retailer: "Retailer", chance: random.Random, now: datetime, *, days: int, per_day: int
) -> list[SandboxRefund]:
    """Land one file of `per_day` refunds on each of the `days` landing days before `now`'s."""
    midnight = _midnight(now)
    made = []
    for back in range(days, 0, -1):
        at = midnight - timedelta(days=back) + timedelta(minutes=chance.randrange(600, 1_200))
        refunds = [
            retailer.any_refund(at - timedelta(seconds=chance.randrange(5, 290)))
            for _ in range(per_day)
        ]
        retailer.land(*refunds, at=at)
        made += refunds
    return made


def _midnight(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(timezone.utc).date(), time(), timezone.utc)


def _file_times(now: datetime) -> list[datetime]:
    """Spread the files over the last minutes of the landing day; just after midnight they crowd."""
    span = min(now - _midnight(now), _WINDOW)
    return [now - span * (_FILES - 1 - number) / _FILES for number in range(_FILES)]


def _demo_refunds(
    retailer: "Retailer", chance: random.Random, now: datetime, times: Sequence[datetime]
) -> tuple[SandboxRefund, ...]:
    recipes: list[Recipe] = [recipe for count, recipe in _DEMO for _ in range(count)]
    chance.shuffle(recipes)
    slow = chance.sample(range(len(recipes)), len(_LATE_SECONDS))
    late = dict(zip(slow, _LATE_SECONDS, strict=True))
    refunds = []
    for number, (kind, currency, tender, split_with) in enumerate(recipes):
        at = _requested(chance, number, times)
        refunds.append(
            retailer.refund(
                kind,
                currency,
                tender,
                split_with=split_with,
                at=at,
                payments_available_at=(
                    now + timedelta(seconds=late[number]) if number in late else None
                ),
            )
        )
    first = next(one for one in refunds if one.kind == "store" and len(one.tenders) == 1)
    again = retailer.refund(
        tender=(first.tenders[0].method, first.tenders[0].provider),
        amount=first.amount,
        at=_requested(chance, len(refunds), times),
        same_order_as=first,
    )
    at = _requested(chance, len(refunds) + 1, times)
    return (*refunds, again, retailer.refund("web", "USD", PAYPAL, at=at))


def _requested(chance: random.Random, number: int, times: Sequence[datetime]) -> datetime:
    return times[number % _FILES] - timedelta(milliseconds=chance.randrange(2_000, 290_000))


def _with_disturbances(
    retailer: "Retailer",
    chance: random.Random,
    refunds: Sequence[SandboxRefund],
    times: Sequence[datetime],
) -> list[list[str]]:
    """Return the lines of each file: the refunds, and among them what should not disturb."""
    contents = [[one.event_line for one in refunds[number::_FILES]] for number in range(_FILES)]
    contents[0].append(contents[0][1])
    contents[3].append(republished(contents[3][0], at=times[3]))
    contents[4].append(contents[1][0])
    contents[5].append(republished(contents[2][2], at=times[5]))
    for number in range(_OTHER_EVENTS):
        payload = {"id": retailer.new_id(), "order_id": retailer.new_id()}
        line = envelope(
            chance.choice(_OTHER_KINDS),
            payload,
            tenant=retailer.landing.tenant,
            published_at=times[number % _FILES],
        )
        contents[number % _FILES].append(line)
    for lines in contents:
        chance.shuffle(lines)
    never = retailer.request(retailer.amount("USD"), "USD", times[1])
    contents[1].insert(3, impossible(retailer.event_line(never, retailer.new_id())))
    contents[2].insert(5, contents[2][0][:-40])
    contents[5].insert(2, "")
    return contents
