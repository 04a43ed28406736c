"""Fetching: NewStore requests per refund, and refunds a second, beside one refund after another.

Each answer takes as long as a near service's does; the tenant's limit is NewStore's newer regime,
200 calls a second (contract newstore 3.3).
"""

import time
from collections.abc import Mapping
from datetime import date

from refund_pipeline_tests.bench.results import Budget, Result, Settings, count
from refund_pipeline_tests.bench.steps import Steps, opened, utc_now
from refund_pipeline_tests.bench.world import World, other_world

_CALLS = 200
_SECONDS = 0.1
_GRAPHQL, _REST = 0.05, 1
_HEADINGS = (
    *("fetching", "refunds", "requests per refund: GraphQL", "REST account", "REST refund"),
    *("refunds a second", "of the limit", "times one by one"),
)


def fetching(settings: Settings) -> Result:
    """Fetch the same kind of day in each way NewStore and the mapping allow."""
    number = settings.pick(full=2_000, quick=300, tiny=4)
    seconds = settings.pick(full=_SECONDS, quick=_SECONDS, tiny=0.0)
    alone = settings.pick(full=100, quick=20, tiny=2)
    baseline = 0.0
    rows, budgets = [], list[Budget]()
    ways = (
        ("one by one", False, "refund_resource", seconds),
        ("REST accounts and refund resources", False, "refund_resource", seconds),
        ("the same, answered at once", False, "refund_resource", 0.0),
        ("REST accounts alone (`returns: event`)", False, "event", seconds),
        ("GraphQL alone (`correlationId` shown, `returns: event`)", True, "event", seconds),
    )
    for name, shows_correlation, returns, delay in settings.pick(
        full=ways, quick=ways, tiny=ways[:2]
    ):
        place = settings.place / str(len(rows))
        place.mkdir()
        refunds = number if rows else alone
        with other_world(settings.seed, place, shows_correlation=shows_correlation) as world:
            environment = world.environment(str(place / "mapping.yaml"), returns=returns)
            world.slow_newstore(delay)
            world.limit_newstore(_CALLS)
            with opened(environment, place / "ledger.db", settings.seed) as steps:
                rate, asked = _fetched(world, steps, refunds, one_by_one=not rows)
        baseline = baseline or rate
        each = {kind: several / refunds for kind, several in asked.items()}
        limit = _CALLS / sum(several for kind, several in each.items() if kind != "token")
        rows.append(
            (
                *(name, count(refunds), f"{each.get('graphql', 0):.3f}"),
                *(f"{each.get('payment_account', 0):.2f}", f"{each.get('refunds', 0):.2f}"),
                *(f"{rate:.0f}", f"{rate / limit:.0%}", f"{rate / baseline:.0f}"),
            )
        )
        if len(rows) == 2:
            budgets += _budgets(each)
    return Result(_HEADINGS, tuple(rows), tuple(budgets))


def _fetched(
    world: World, steps: Steps, number: int, *, one_by_one: bool
) -> tuple[float, Mapping[str, int]]:
    """Return the rate a second, and NewStore's requests by kind."""
    day = utc_now().date()
    world.land(day, number)
    steps.read(day)
    world.read_meter()
    started = time.monotonic()
    if one_by_one:
        _one_by_one(steps, day)
    else:
        fetched = steps.fetch(day)
        assert fetched.results == {"PaymentsAvailable": number}, fetched.results
    return number / (time.monotonic() - started), world.read_meter().newstore


def _one_by_one(steps: Steps, day: date) -> None:
    for work in steps.ledger.refunds_to_pay(day):
        steps.newstore.orders([work.event.order_id])
        steps.newstore.payment_accounts([work.event.payment_account_id])
        steps.newstore.refund_facts([(work.event.order_id, work.event.refund_id)])


def _budgets(each: Mapping[str, float]) -> list[Budget]:
    account = each.get("payment_account", 0)
    return [
        Budget(
            "NewStore GraphQL requests per refund",
            f"≤ {_GRAPHQL}",
            f"{each.get('graphql', 0):.3f}",
            each.get("graphql", 0) <= _GRAPHQL,
        ),
        Budget(
            "NewStore REST account reads per refund",
            f"≤ {_REST}",
            f"{account:.2f}",
            account <= _REST,
        ),
    ]
