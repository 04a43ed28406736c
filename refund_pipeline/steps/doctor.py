"""Prove the set-up before the first posting: every check runs, whatever the others find.

Nothing is written but the ledger's schema, which any first use brings up to date. Each area has a
module `doctor_*.py`; what a finding is, is `doctor_findings.py`.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Protocol

from refund_pipeline.domain.errors import InvalidMapping, PipelineError
from refund_pipeline.domain.mapping import Mapping
from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.mapping_file import LoadedMapping
from refund_pipeline.gateways.netsuite_setup import NetSuiteSetup
from refund_pipeline.gateways.newstore import NewStore
from refund_pipeline.steps.doctor_findings import (
    Finding,
    Findings,
    NotGiven,
    error,
    guarded,
    not_checked,
)
from refund_pipeline.steps.doctor_landing import check_landing
from refund_pipeline.steps.doctor_mapping import check_mapping
from refund_pipeline.steps.doctor_netsuite import check_netsuite
from refund_pipeline.steps.doctor_network import Reached, check_clock, reach
from refund_pipeline.steps.doctor_newstore import check_newstore

_LEDGER_FIX = "correct REFUNDS_LEDGER_URL, or what the database lets its user do"
_BUCKET_FIX = "correct REFUNDS_LANDING_URL, the AWS_ variables, or what the bucket's policy allows"
_NEWSTORE_FIX = "correct the NEWSTORE_ variables"
_NETSUITE_FIX = "correct the NETSUITE_ variables"


class SetUp(Protocol):
    """What the job would use. Everything may raise a `PipelineError`, `NotGiven` among them."""

    def tenant(self) -> str:
        """Return our tenant's name."""

    def settings(self, today: date) -> Findings:
        """Return what is found in the settings themselves."""

    def mapping(self) -> LoadedMapping:
        """Load the mapping."""

    def ledger(self) -> Ledger:
        """Open the ledger."""

    def landing_bucket(self, tenant: str) -> LandingBucket:
        """Open a tenant's folder of the landing bucket; all of them for the empty name."""

    def newstore_address(self) -> str:
        """Return the address of NewStore's APIs."""

    def newstore(self) -> NewStore:
        """Open NewStore's APIs."""

    def netsuite(self) -> NetSuiteSetup:
        """Open the NetSuite account."""


def examine(set_up: SetUp, *, now: Callable[[], datetime]) -> Findings:
    """Yield every finding; `now` is the aware UTC time."""
    yield from set_up.settings(now().date())
    mapping = _loaded(set_up)
    if isinstance(mapping, LoadedMapping):
        yield from check_mapping(mapping)
    else:
        yield from mapping
    yield from examine_ledger(set_up)
    yield from examine_bucket(set_up, now=now)
    rules = mapping.mapping if isinstance(mapping, LoadedMapping) else None
    yield from _outside(set_up, rules, now)


def examine_ledger(set_up: SetUp) -> Findings:
    """Yield what is found of the ledger."""
    return guarded("ledger", _LEDGER_FIX, lambda: _ledger(set_up))


def examine_bucket(set_up: SetUp, *, now: Callable[[], datetime]) -> Findings:
    """Yield what is found of the landing bucket."""
    return guarded(
        "landing bucket",
        _BUCKET_FIX,
        lambda: check_landing(set_up.landing_bucket, tenant=set_up.tenant(), now=now()),
    )


def examine_newstore(
    set_up: SetUp, mapping: Mapping | None, *, now: Callable[[], datetime]
) -> Findings:
    """Yield what is found of NewStore; `mapping` says what it is asked."""
    found = reach("NewStore", set_up.newstore_address, fix=_NEWSTORE_FIX, now=now)
    yield from _newstore(set_up, mapping) if isinstance(found, Reached) else [found]


def examine_netsuite(
    set_up: SetUp, mapping: Mapping | None, *, now: Callable[[], datetime]
) -> Findings:
    """Yield what is found of NetSuite; without a mapping what does not depend on one."""
    found = reach("NetSuite", lambda: set_up.netsuite().address, fix=_NETSUITE_FIX, now=now)
    yield from _netsuite(set_up, mapping, now) if isinstance(found, Reached) else [found]


def _newstore(set_up: SetUp, mapping: Mapping | None) -> Findings:
    asks_refunds = mapping is None or mapping.policies.returns == "refund_resource"
    return guarded(
        "NewStore",
        _NEWSTORE_FIX,
        lambda: check_newstore(set_up.newstore(), asks_refunds=asks_refunds),
    )


def _netsuite(set_up: SetUp, mapping: Mapping | None, now: Callable[[], datetime]) -> Findings:
    return guarded(
        "NetSuite",
        _NETSUITE_FIX,
        lambda: check_netsuite(set_up.netsuite(), mapping, now=now()),
    )


def _outside(set_up: SetUp, mapping: Mapping | None, now: Callable[[], datetime]) -> Findings:
    newstore = reach("NewStore", set_up.newstore_address, fix=_NEWSTORE_FIX, now=now)
    netsuite = reach("NetSuite", lambda: set_up.netsuite().address, fix=_NETSUITE_FIX, now=now)
    reached = {"NewStore": newstore, "NetSuite": netsuite}
    yield from check_clock(
        {name: found.skew for name, found in reached.items() if isinstance(found, Reached)}
    )
    yield from _newstore(set_up, mapping) if isinstance(newstore, Reached) else [newstore]
    yield from _netsuite(set_up, mapping, now) if isinstance(netsuite, Reached) else [netsuite]


def _loaded(set_up: SetUp) -> LoadedMapping | list[Finding]:
    try:
        return set_up.mapping()
    except NotGiven as missing:
        return [not_checked("mapping", missing)]
    except InvalidMapping as invalid:
        return [
            error("mapping", problem, f"correct it in {invalid.source} (docs/mapping.md)")
            for problem in invalid.problems
        ]
    except PipelineError as problem:
        return [error("mapping", str(problem), "correct REFUNDS_MAPPING, or what may be read")]


def _ledger(set_up: SetUp) -> Findings:
    revision = set_up.ledger().prove_writable()
    yield Finding("ledger", f"can be written to; its schema is at revision {revision}")
