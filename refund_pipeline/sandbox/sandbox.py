"""The whole sandbox: NewStore, NetSuite and the landing bucket on loopback, and one retailer.

`Sandbox` is for tests and demos; `run_until_stopped` is the command `refund-pipeline sandbox`.
"""

import contextlib
import os
import shlex
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Literal, Protocol

import requests

from refund_pipeline.sandbox.landing import LandingSandbox
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline.sandbox.newstore import NewStoreSandbox, utc_now
from refund_pipeline.sandbox.retailer import Retailer
from refund_pipeline.sandbox.running import Days, Scenarios
from refund_pipeline.sandbox.scenarios.library import scenarios_named
from refund_pipeline.sandbox.scenarios.staged import StagedScenario
from refund_pipeline.sandbox.scenarios.staging import stage
from refund_pipeline.sandbox.scenarios.timeline import Timeline

if TYPE_CHECKING:
    from typing_extensions import Self

MAPPING = Path(__file__).resolve().parents[2] / "mappings" / "example.yaml"
_KEY_FILE = "netsuite_private_key.pem"
_HISTORY = timedelta(days=30)
_ANSWER_SECONDS = 10


class Stoppable(Protocol):
    """Something that runs beside the sandbox and ends before it."""

    def stop(self) -> None:
        """End it."""


class Sandbox:
    """All three systems. `state` is a directory for the private key; a temporary one when None."""

    def __init__(
        self,
        seed: int = 7,
        *,
        tenant: str = "demo",
        clock: Callable[[], datetime] = utc_now,
        state: Path | None = None,
        show_correlation_id: bool = False,
    ) -> None:
        self.tenant = tenant
        self._clock = clock
        self._state = state
        self._running = contextlib.ExitStack()
        self.landing = LandingSandbox(tenant=tenant, seed=seed)
        self.newstore = NewStoreSandbox(
            tenant=tenant,
            clock=clock,
            show_correlation_id=show_correlation_id,
            landing=self.landing,
        )
        self.netsuite = NetSuiteSandbox(clock=clock)
        self.retailer = Retailer(seed, self.newstore, self.netsuite, self.landing)

    def start(self) -> None:
        """Start all three; what has started is stopped again if another one cannot."""
        with contextlib.ExitStack() as starting:
            if self._state is None:
                temporary = tempfile.TemporaryDirectory(prefix="refund-sandbox-")
                self._state = Path(starting.enter_context(temporary))
            starting.enter_context(self.landing)
            starting.enter_context(self.newstore)
            starting.enter_context(self.netsuite)
            self._running = starting.pop_all()

    def stop(self) -> None:
        """Stop all three."""
        self._running.close()

    def __enter__(self) -> "Self":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def timeline(self, scenarios: Sequence[StagedScenario]) -> Timeline:
        """Put staged scenarios in; what happens later happens when the timeline is played."""
        return Timeline(
            scenarios, newstore=self.newstore, netsuite=self.netsuite, landing=self.landing
        )

    def environment(self, auth: Literal["oauth2", "tba"] = "oauth2") -> dict[str, str]:
        """Return every variable the pipeline needs but the ledger's; `auth` is the way to NetSuite.

        For oauth2 it writes the private key file.

        Raises:
            FileNotFoundError: the example mapping is not where a checkout has it.
        """
        if not MAPPING.is_file():
            raise FileNotFoundError(
                f"{MAPPING} is missing: run the sandbox from a checkout of the repository"
            )
        return {
            "REFUNDS_TENANT": self.tenant,
            "REFUNDS_START_DATE": (self._clock().date() - _HISTORY).isoformat(),
            "REFUNDS_MAPPING": str(MAPPING),
            "REFUNDS_LANDING_URL": self.landing.url,
            **self.landing.env(),
            "NEWSTORE_BASE_URL": self.newstore.base_url,
            "NEWSTORE_TOKEN_URL": self.newstore.token_url,
            "NEWSTORE_CLIENT_ID": self.newstore.client_id,
            "NEWSTORE_CLIENT_SECRET": self.newstore.client_secret,
            "NETSUITE_ACCOUNT": self.netsuite.account,
            "NETSUITE_BASE_URL": self.netsuite.base_url,
            "NETSUITE_AUTH": auth,
            **(self._oauth2() if auth == "oauth2" else self._tba()),
        }

    def check_answers(self) -> None:
        """Make sure that all three answer.

        Raises:
            RuntimeError: one does not answer as it should.
        """
        self.landing.client.head_bucket(Bucket=self.landing.bucket)
        token = requests.post(
            self.newstore.token_url,
            data={"grant_type": "client_credentials"},
            auth=(self.newstore.client_id, self.newstore.client_secret),
            timeout=_ANSWER_SECONDS,
        )
        stranger = requests.get(
            f"{self.netsuite.base_url}/services/rest/record/v1/cashRefund/1",
            timeout=_ANSWER_SECONDS,
        )
        if not token.ok or stranger.status_code != requests.codes.unauthorized:
            raise RuntimeError(
                f"the sandbox does not answer as it should: NewStore's token endpoint "
                f"{token.status_code}, NetSuite {stranger.status_code}"
            )

    def _oauth2(self) -> dict[str, str]:
        return {
            "NETSUITE_CLIENT_ID": self.netsuite.client_id,
            "NETSUITE_CERTIFICATE_ID": self.netsuite.certificate_id,
            "NETSUITE_PRIVATE_KEY_FILE": str(self._key_file()),
        }

    def _tba(self) -> dict[str, str]:
        return {
            "NETSUITE_CONSUMER_KEY": self.netsuite.consumer_key,
            "NETSUITE_CONSUMER_SECRET": self.netsuite.consumer_secret,
            "NETSUITE_TOKEN_ID": self.netsuite.token_id,
            "NETSUITE_TOKEN_SECRET": self.netsuite.token_secret,
        }

    def _key_file(self) -> Path:
        if self._state is None:
            raise RuntimeError("the sandbox has not started")
        path = (self._state / _KEY_FILE).resolve()
        _write_privately(path, self.netsuite.private_key_pem)
        return path


def _print_at_once(line: str) -> None:
    print(line, flush=True)


def run_until_stopped(
    env_file: Path | None = None,
    seed: int = 7,
    *,
    state: Path | None = None,
    scenarios: Sequence[str] = (),
    beside: Callable[[dict[str, str]], Stoppable] | None = None,
    interval: float = 30.0,
    stopped: threading.Event | None = None,
    write: Callable[[str], None] = _print_at_once,
) -> None:
    """Run the sandbox until SIGINT or SIGTERM, landing a new refund every `interval` seconds.

    With `scenarios` nothing lands but these, by their own timelines from now on.

    Args:
        env_file: Gets the environment as NAME=value lines once everything answers; gone at the end.
        seed: The same seed makes the same data.
        state: Where the private key is written; a temporary directory when None.
        scenarios: Names of scenarios.
        beside: Starts something with that environment; it is stopped before the sandbox.
        interval: Seconds between new refunds.
        stopped: Ends the run when set, instead of signals.
        write: Takes each line for the terminal.

    Raises:
        UnknownScenario: a scenario's name is not known.
    """
    wanted = scenarios_named(scenarios)
    with contextlib.ExitStack() as ending:
        if stopped is None:
            stopped = ending.enter_context(_stop_signals())
        sandbox = ending.enter_context(Sandbox(seed, state=state))
        now = utc_now()
        staged = [
            stage(name, scenario, at=now, seed=seed, tenant=sandbox.tenant)
            for name, scenario in wanted.items()
        ]
        happening = (
            Scenarios(sandbox.timeline(staged), staged)
            if staged
            else Days(sandbox.retailer, now, interval)
        )
        environment = sandbox.environment()
        sandbox.check_answers()
        for name, value in environment.items():
            write(f"export {name}={shlex.quote(value)}")
        for line in happening.announcement:
            write(f"# {line}")
        if env_file is not None:
            lines = "".join(f"{name}={value}\n" for name, value in environment.items())
            _write_privately(env_file, lines)
            ending.callback(env_file.unlink, missing_ok=True)
        if beside is not None:
            ending.callback(beside(environment).stop)
        happening.go_on(stopped)


@contextlib.contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Turn the first SIGINT or SIGTERM into an event; a second one acts as it did before."""
    stopped = threading.Event()
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def stop(_number: int, _frame: FrameType | None) -> None:
        restore()
        stopped.set()

    for number in previous:
        signal.signal(number, stop)
    try:
        yield stopped
    finally:
        restore()


def _write_privately(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
