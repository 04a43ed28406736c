"""The job's own resources, opened outside a run, and what can be wrong with the settings.

So the doctor proves what a run would use, and the environment is read in one place.
"""

import contextlib
import os
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import dagster as dg

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.orchestration.resources import (
    LandingBucketResource,
    LedgerResource,
    MappingResource,
    NetSuiteResource,
    NewStoreResource,
    default_resources,
    start_date,
)
from refund_pipeline.orchestration.watch_resource import WatchResource
from refund_pipeline.steps.doctor_findings import Finding, Findings, NotGiven, error, warning

if TYPE_CHECKING:
    from typing_extensions import Self

    from refund_pipeline.gateways.landing_bucket import LandingBucket
    from refund_pipeline.gateways.ledger.ledger import Ledger
    from refund_pipeline.gateways.mapping_file import LoadedMapping
    from refund_pipeline.gateways.netsuite_setup import NetSuiteSetup
    from refund_pipeline.gateways.newstore import NewStore

_Resource = TypeVar("_Resource", bound=dg.ConfigurableResource)

AREA = "settings"
_VARIABLES = (dg.EnvVar, type(dg.EnvVar.int("")))
_EARLIEST = timedelta(days=366)
_LATEST = timedelta(days=366)
_README = "README.md lists the variables"


class JobSetUp:
    """What the doctor examines (`steps/doctor.py`); what was opened is closed at the end."""

    def __init__(self) -> None:
        self._resources = default_resources()
        self._opened = contextlib.ExitStack()
        self._ready: dict[type[object], object] = {}
        self._netsuite: NetSuiteSetup | None = None

    def __enter__(self) -> "Self":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.close()

    def settings(self, today: date) -> Findings:
        """Return what is found in the environment itself; no value is ever shown."""
        wrong = [*self._variables(), *_start_date(today), *_home(), *self._alerts()]
        yield from wrong or [Finding(AREA, "every variable that is needed is set")]

    def tenant(self) -> str:
        """Return our tenant's name."""
        return self._resource(LandingBucketResource).tenant

    def mapping(self) -> "LoadedMapping":
        """Load the mapping."""
        return self._resource(MappingResource).load()

    def ledger(self) -> "Ledger":
        """Open the ledger."""
        opened = self._resource(LedgerResource).open()
        self._opened.callback(opened.close)
        return opened

    def landing_bucket(self, tenant: str) -> "LandingBucket":
        """Open a tenant's folder of the landing bucket; all of them for the empty name."""
        url = self._resource(LandingBucketResource).url
        return LandingBucketResource(url=url, tenant=tenant).open()

    def newstore_address(self) -> str:
        """Return the address of NewStore's APIs."""
        from refund_pipeline.gateways.http import checked_base_url

        return checked_base_url(self._resource(NewStoreResource).base_url, name="NEWSTORE_BASE_URL")

    def newstore(self) -> "NewStore":
        """Open NewStore's APIs."""
        opened = self._resource(NewStoreResource).open()
        self._opened.callback(opened.close)
        return opened

    def netsuite(self) -> "NetSuiteSetup":
        """Open the NetSuite account."""
        if self._netsuite is None:
            self._netsuite = self._resource(NetSuiteResource).open_setup()
            self._opened.callback(self._netsuite.close)
        return self._netsuite

    def _resource(self, kind: type[_Resource]) -> _Resource:
        """Return a resource with its values.

        Raises:
            NotGiven: a variable it needs is not set.
            Misconfigured: one is not of its kind.
        """
        if kind not in self._ready:
            configured = self._configured(kind)
            missing = [name for name, value in _variables(configured) if not value.strip()]
            if missing:
                raise NotGiven(f"{' and '.join(missing)} must be set")
            # Dagster's own way needs an instance for each resource, which takes 0.1 s.
            fields = {name: vars(configured)[name] for name in type(configured).model_fields}
            self._ready[kind] = kind(**{name: _value(field) for name, field in fields.items()})
        ready = self._ready[kind]
        assert isinstance(ready, kind)  # noqa: S101  (put there above)
        return ready

    def _configured(self, kind: type[_Resource]) -> _Resource:
        (found,) = (one for one in self._resources.values() if isinstance(one, kind))
        return found

    def _variables(self) -> Iterator[Finding]:
        configured = [
            one for one in self._resources.values() if isinstance(one, dg.ConfigurableResource)
        ]
        variables = dict(pair for one in configured for pair in _variables(one))
        for name, value in variables.items():
            if not value.strip():
                yield error(AREA, f"{name} is not set", f"set {name}; {_README}")
            elif value != value.strip() or value[:1] in {"'", '"'}:
                yield warning(
                    AREA,
                    f"the value of {name} begins or ends with a blank, a line break or a quote",
                    f"set {name} without it",
                )

    def _alerts(self) -> Iterator[Finding]:
        """Yield what keeps people from being told; nobody is told anything now."""
        from refund_pipeline.gateways.alerts import SETTING, UnusableAlerts, channels

        try:
            settings = self._resource(WatchResource).settings()
            settings.limits()
        except NotGiven:
            return  # told already
        except Misconfigured as problem:
            yield error(AREA, str(problem), "correct it, or remove it for the default")
            return
        told = channels(settings.alerts)
        if not told:
            yield warning(
                AREA,
                f"{SETTING} is not set: nobody is told when something needs a person",
                f"set {SETTING} as docs/operations.md says under Alerts, and try it with"
                " refund-pipeline watch --test",
            )
        for channel in told:
            channel.close()
            if isinstance(channel, UnusableAlerts):
                yield error(AREA, channel.problem, f"correct {SETTING}")


def _variables(configured: dg.ConfigurableResource) -> Iterator[tuple[str, str]]:
    """Yield the environment variables of a resource with their values, empty where not set."""
    for value in vars(configured).values():
        if isinstance(value, dg.EnvVar):
            yield value.env_var_name, value.get_value() or ""


def _value(field: object) -> object:
    """Return what a run would get for a field of a resource.

    Raises:
        Misconfigured: a variable is not of its kind.
    """
    if not isinstance(field, _VARIABLES):
        return field
    try:
        return field.get_value()
    except ValueError:
        raise Misconfigured(f"{field.env_var_name} must be a whole number") from None


def _start_date(today: date) -> Iterator[Finding]:
    name = "REFUNDS_START_DATE"
    try:
        start = start_date()
    except Misconfigured as problem:
        yield error(AREA, str(problem), f"set {name} to the first landing day that is ours")
        return
    if start is None:
        yield error(
            AREA,
            f"{name} is not set: no landing day is ever asked for",
            f"set {name} to the first landing day that is ours, like {today.isoformat()}",
        )
    elif start > today + _LATEST:
        yield error(AREA, f"{name} is {start}, more than a year ahead", f"correct {name}")
    elif start > today:
        yield warning(
            AREA,
            f"{name} is {start}: nothing is posted before",
            f"leave it if that is the day to begin, else correct {name}",
        )
    elif start < today - _EARLIEST:
        yield warning(
            AREA,
            f"{name} is {start}: everything that landed since is posted, unless an earlier"
            " integration did",
            f"leave it if that is meant, else correct {name}",
        )


def _home() -> Iterator[Finding]:
    name = "DAGSTER_HOME"
    home = os.environ.get(name, "").strip()
    if not home:
        yield warning(
            AREA,
            f"{name} is not set: Dagster remembers nothing, and a ledger without REFUNDS_LEDGER_URL"
            " is a file in the working directory",
            f"set {name} to a directory that lasts",
        )
    elif not Path(home).is_dir():
        yield error(AREA, f"{name} is no directory", f"make the directory, or correct {name}")
    elif not (Path(home) / "dagster.yaml").is_file():
        yield warning(
            AREA,
            f"there is no dagster.yaml in {name}, so failed runs are not tried again",
            f"copy dagster.yaml of the project into {name}",
        )
