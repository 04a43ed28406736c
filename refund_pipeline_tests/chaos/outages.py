"""What is down for hours: NetSuite, NewStore, the bucket, DNS, token endpoints, the daemon.

How an outage is gone through and measured is `enduring.py`.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from refund_pipeline.orchestration.resources import NetSuiteResource, default_resources
from refund_pipeline.sandbox.netsuite.audit import NO_ANSWER
from refund_pipeline.sandbox.netsuite.faults import Fault
from refund_pipeline.sandbox.sandbox import Sandbox
from refund_pipeline_tests.chaos.enduring import HOUR, Outage, World, recover, row_of, world
from refund_pipeline_tests.chaos.rows import Row
from refund_pipeline_tests.chaos.scaled_day import ScaledClock


def erp(seed: int, place: Path) -> Row:
    """NetSuite answers 503 for hours; then the same after answers to writes were lost."""
    started = time.monotonic()
    with world(seed, place) as here:
        return row_of("outage-erp", here, seed, started, erp_down(here), erp_loses_answers(here))


def erp_down(here: World) -> Outage:
    """NetSuite is down, the token endpoint too."""
    netsuite = here.sandbox.netsuite
    return Outage(
        "NetSuite down",
        netsuite.faults.start_outage,
        netsuite.faults.end_outage,
        asked=lambda: len(netsuite.audit.requests),
        progress=lambda: netsuite.audit.posts,
        after=here.size // 3,
    )


def erp_loses_answers(here: World) -> Outage:
    """NetSuite makes records whose answers are lost, and is down from then on."""
    netsuite = here.sandbox.netsuite

    def _unanswered() -> int:
        return sum(one.status == NO_ANSWER for one in netsuite.audit.requests)

    def _begin() -> None:
        enough, pause = _unanswered() + 3, threading.Event()
        netsuite.faults.script([Fault.LOSE_ANSWER] * 3)
        while _unanswered() < enough:
            pause.wait(0.001)
        netsuite.faults.start_outage()

    return replace(erp_down(here), name="answers lost, then NetSuite down", begin=_begin)


def newstore(seed: int, place: Path) -> Row:
    """NewStore answers 503 for hours."""
    started = time.monotonic()
    with world(seed, place) as here:
        faults, audit = here.sandbox.newstore.faults, here.sandbox.newstore.audit
        way = Outage(
            "NewStore down",
            faults.start_outage,
            faults.end_outage,
            asked=lambda: len(audit.entries),
            progress=lambda: audit.counts["payment_account"],
            after=here.size // 3,
        )
        return row_of("outage-newstore", here, seed, started, way)


def bucket(seed: int, place: Path) -> Row:
    """S3 answers 503 for hours, and nobody can land anything either."""
    started = time.monotonic()
    with world(seed, place) as here:
        return row_of("outage-bucket", here, seed, started, bucket_down(here))


def bucket_down(here: World) -> Outage:
    """S3 is down, while the files of a day are read."""
    landing = here.sandbox.landing
    return Outage(
        "S3 down",
        landing.start_outage,
        landing.end_outage,
        asked=lambda: landing.requests,
        progress=lambda: landing.requests,
        after=6,
        stops_landing=True,
    )


def tokens(seed: int, place: Path) -> Row:
    """The token endpoints answer 503; then NetSuite refuses the login itself."""
    started = time.monotonic()
    with world(seed, place, overrides=_netsuite_counts_refusals_by) as here:
        ways = [newstore_tokens_down(here), netsuite_tokens_down(here), login_refused(here)]
        return row_of("outage-tokens", here, seed, started, *ways)


def newstore_tokens_down(here: World) -> Outage:
    """NewStore's token endpoint is down, and the tokens there are have ended."""
    sandbox = here.sandbox.newstore

    def _begin() -> None:
        sandbox.faults.start_outage(tokens_only=True)
        sandbox.expire_tokens()

    return Outage(
        "NewStore's token endpoint down",
        _begin,
        sandbox.faults.end_outage,
        asked=lambda: len(sandbox.audit.entries),
        progress=lambda: sandbox.audit.counts["payment_account"],
        after=here.size // 3,
    )


def netsuite_tokens_down(here: World) -> Outage:
    """NetSuite's token endpoint is down, and the tokens there are have ended."""
    sandbox = here.sandbox.netsuite

    def _begin() -> None:
        sandbox.faults.start_outage(tokens_only=True)
        sandbox.tokens.expire_tokens()

    return replace(erp_down(here), name="NetSuite's token endpoint down", begin=_begin)


def login_refused(here: World) -> Outage:
    """NetSuite refuses the certificate: five refusals lock the user, so three must be the end."""
    faults = here.sandbox.netsuite.faults
    return replace(
        erp_down(here),
        name="NetSuite refuses the login",
        begin=lambda: faults.refuse_logins(1_000_000),
        end=lambda: faults.refuse_logins(0),
    )


def _netsuite_counts_refusals_by(clock: ScaledClock) -> dict[str, object]:
    """Let refused logins be paused for by this clock."""

    class ScaledNetSuiteResource(NetSuiteResource):
        def _authenticator(self) -> Any:
            made = super()._authenticator()
            made.circuit._clock = lambda: clock.now().timestamp()
            return made

    usual = default_resources()["erp"]
    values = {name: getattr(usual, name) for name in NetSuiteResource.model_fields}
    return {"erp": ScaledNetSuiteResource(**values)}


def daemon(seed: int, place: Path) -> Row:
    """Dagster's daemon is stopped for a day, and files land all the time."""
    started = time.monotonic()
    with world(seed, place) as here:
        here.land(here.size, files=10)
        recover(here, "before")
        waiting, recovered = daemon_stopped(here)
        return here.row(
            "outage-daemon",
            seed,
            started,
            cases=1,
            faults="Dagster's daemon stopped for 24 h",
            outcome=f"{waiting} refunds waited for it, all posted {recovered} min after",
        )


def daemon_stopped(here: World, *, hours: int = 24) -> tuple[int, int]:
    """Let files land while no sensor ticks and no schedule fires.

    Return how many refunds waited for the daemon, and in how many minutes it had them posted.
    """
    posted = len(here.refunds)
    for _ in range(4 * hours):
        here.clock.sleep(HOUR.total_seconds() / 4)
        here.land(2)
    recovered = recover(here, "daemon stopped")
    return len(here.refunds) - posted, round(recovered.total_seconds() / 60)


def dns(seed: int, place: Path) -> Row:
    """No name is resolved for hours: not S3's, NewStore's or NetSuite's."""
    started = time.monotonic()
    with world(seed, place) as here, resolver_of(here.sandbox) as resolver:
        return row_of("outage-dns", here, seed, started, names_unknown(here, resolver))


def names_unknown(here: World, resolver: "Resolver") -> Outage:
    """DNS fails while NewStore is asked; what is connected stays so."""
    audit = here.sandbox.newstore.audit
    return Outage(
        "DNS failing",
        begin=lambda: setattr(resolver, "is_down", True),
        end=lambda: setattr(resolver, "is_down", False),
        asked=lambda: resolver.failed,
        progress=lambda: audit.counts["payment_account"],
        after=here.size // 3,
        spares_us=resolver.spared,
    )


class Resolver:
    """Resolves, until it fails for the sandbox's hosts; they differ by port alone."""

    def __init__(self, sandbox: Sandbox) -> None:
        urls = (sandbox.landing.endpoint_url, sandbox.newstore.base_url, sandbox.netsuite.base_url)
        self._ports = {urlsplit(url).port for url in urls}
        self._resolve = socket.getaddrinfo
        self.is_down = False
        self.failed = 0

    def __call__(self, host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        if self.is_down and port in self._ports:
            self.failed += 1
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return self._resolve(host, port, *arguments, **options)

    @contextmanager
    def spared(self) -> Iterator[None]:
        self.is_down = False
        yield
        self.is_down = True


@contextmanager
def resolver_of(sandbox: Sandbox) -> Iterator[Resolver]:
    """Let this process resolve names by a resolver that can be down."""
    resolver = Resolver(sandbox)
    with mock.patch.object(socket, "getaddrinfo", resolver):
        yield resolver
