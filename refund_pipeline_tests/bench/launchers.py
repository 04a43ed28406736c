"""A process for each run beside Celery's warm workers: one refund at a time, landed to posted.

Both on PostgreSQL, with the services and settings of deploy/. What is compared begins with the
run's creation; how long a sensor takes to ask for it is `start.py`.
"""

import contextlib
import os
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import dagster as dg
import redis

from refund_pipeline_tests.bench.results import Result, Settings
from refund_pipeline_tests.bench.start import one_refund
from refund_pipeline_tests.bench.world import World, other_world
from refund_pipeline_tests.gateways.conftest import own_database
from refund_pipeline_tests.system.host import ROOT, Host

REDIS = os.environ.get("REFUNDS_TEST_REDIS_URL", "redis://127.0.0.1:6379")
_DATABASE = 10
_OWN_PROCESS, _WARM = "a process for each run (the default)", "a warm Celery worker"
_SETTINGS = {_OWN_PROCESS: "containers", _WARM: "celery"}


def launchers(settings: Settings) -> Result:
    """Compare the two. Needs PostgreSQL and Redis."""
    rounds = settings.pick(full=7, quick=2, tiny=0)
    rows: list[tuple[object, ...]] = []
    floor = 0.0
    for number, name in enumerate(_SETTINGS):
        place = settings.place / str(number)
        place.mkdir()
        several = _measured(name, settings.seed, place, rounds) if rounds else [(0.0, 0.0)]
        starts = statistics.median(start for start, _ in several)
        total = statistics.median(start + work for start, work in several)
        floor = floor or total
        ratio = f"{total / floor:.2f}" if floor else ""
        rows.append((name, f"{starts:.1f}", f"{total - starts:.1f}", f"{total:.1f}", ratio))
    headings = ("launcher", "until the run's first step s", "until posted s", "together s", "ratio")
    return Result(headings, tuple(rows))


def _measured(name: str, seed: int, place: Path, rounds: int) -> list[tuple[float, float]]:
    """Return seconds from a run's creation to its start, and from there to the refund's posting."""
    home = place / "home"
    home.mkdir()
    with contextlib.ExitStack() as stack:
        refunds, dagster = (
            stack.enter_context(own_database()).render_as_string(hide_password=False)
            for _ in range(2)
        )
        world = stack.enter_context(other_world(seed, place))
        environment = {
            **world.environment(str(place / "mapping.yaml")),
            "REFUNDS_LEDGER_URL": refunds,
            "DAGSTER_POSTGRES_URL": dagster,
            **_broker(),
        }
        settings = ROOT / "deploy" / _SETTINGS[name] / "dagster.yaml"
        host = Host(home, environment, dagster_yaml=settings)
        if name == _WARM:
            stack.enter_context(_worker(host))
        for service in ("code-server", "daemon"):
            stack.enter_context(host.service(service))
        stack.enter_context(mock.patch.dict(os.environ, environment))
        instance = stack.enter_context(dg.DagsterInstance.from_config(str(home)))
        return list(_each(world, instance, refunds, rounds))


def _each(
    world: World, instance: dg.DagsterInstance, ledger_url: str, rounds: int
) -> Iterator[tuple[float, float]]:
    one_refund(world, instance, ledger_url)  # the first one meets caches that are cold
    for _ in range(rounds):
        _, queued, started, posted = one_refund(world, instance, ledger_url)
        yield queued + started, posted


def _broker() -> dict[str, str]:
    url = f"{REDIS}/{_DATABASE}"
    with redis.Redis.from_url(url, socket_connect_timeout=3) as client:
        client.flushdb()
    return {"REFUNDS_CELERY_BROKER": url, "REFUNDS_CELERY_BACKEND": url}


def _worker(host: Host) -> contextlib.AbstractContextManager[object]:
    app = [sys.executable, "-m", "celery", "-A", "dagster_celery.app"]
    node = "bench@localhost"
    start = [*app, "worker", "--queues", "dagster", "--concurrency", "1", "-n", node]
    place = ROOT / "deploy" / "celery"
    extra = {"PYTHONPATH": f"{place}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    return host.process("worker", start, check=[*app, "inspect", "ping", "-d", node], extra=extra)
