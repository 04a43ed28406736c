"""Registering, interrupting and replaying against the sandbox's NewStore and its landing bucket."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import stamina
from click.testing import CliRunner, Result
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from refund_pipeline.cli import main
from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.sandbox.landing import LandingSandbox
from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.newstore_events.disturbances import Disturbances
from refund_pipeline.sandbox.newstore_events.rules import DeliveryRules
from refund_pipeline.sandbox.serving import serving
from refund_pipeline.steps.landing import read_landing_day
from refund_pipeline.steps.replay import Time
from refund_pipeline_tests.fakes import NOON, OPENED, FakeClock, event_line, refund_id

KEY = "planted-receiver-key"
REPLAY = ("replay", "--from", "2026-11-20T11:00:00Z", "--to", "2026-11-20T13:00:00Z")


class Receiver:
    """A receiver that lands each event at once, and refuses all of them when it is `down`."""

    def __init__(self, landing: LandingSandbox, now: Callable[[], datetime]) -> None:
        self._landing = landing
        self._now = now
        self.down = False
        self.keys: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        self.keys.add(request.headers.get("authorization", ""))
        if not self.down:
            self._landing.land([body.decode()], at=self._now())
        await Response(status_code=500 if self.down else 200)(scope, receive, send)


class Tenant:
    """NewStore, bucket, ledger and receiver by one clock; `run` is a person at the shell."""

    def __init__(self, landing: LandingSandbox, directory: Path) -> None:
        self.clock = FakeClock()
        self.landing = landing
        self.newstore = NewStoreSandbox(clock=self.clock.now, landing=landing, token_ttl=3600)
        self.ledger = Ledger(f"sqlite:///{directory / 'ledger.db'}", clock=self.clock.now)
        OPENED.append(self.ledger)
        self.receiver = Receiver(landing, self.clock.now)
        self.environment = {
            **landing.env(),
            "REFUNDS_TENANT": landing.tenant,
            "REFUNDS_LANDING_URL": landing.url,
            "REFUNDS_LEDGER_URL": f"sqlite:///{directory / 'ledger.db'}",
            "REFUNDS_RECEIVER_KEY": KEY,
            "NEWSTORE_BASE_URL": self.newstore.base_url,
            "NEWSTORE_TOKEN_URL": self.newstore.token_url,
            "NEWSTORE_CLIENT_ID": self.newstore.client_id,
            "NEWSTORE_CLIENT_SECRET": self.newstore.client_secret,
            "NEWSTORE_INTEGRATION_ID": "ours",
            "NEWSTORE_EXPORT_AWS_ACCESS_KEY_ID": landing.access_key_id,
            "NEWSTORE_EXPORT_AWS_SECRET_ACCESS_KEY": landing.secret_access_key,
            "COLUMNS": "200",
        }

    def sleep(self, seconds: float) -> None:
        """Let time pass, and let NewStore do what is due by then."""
        self.clock.sleep(seconds)
        self.newstore.stream.wait_until_idle()

    def run(self, *arguments: str) -> Result:
        command = ["newstore", "subscription", *arguments]
        time = Time(self.clock.now, self.sleep)
        result = CliRunner().invoke(main, command, obj=time, env=self.environment)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert KEY not in result.output
        assert self.newstore.client_secret not in result.output
        return result

    def publish(self, *numbers: int) -> None:
        for number in numbers:
            at = self.clock.now()
            line = json.loads(event_line(number, requested_at=at.isoformat()))
            line["published_at"] = at.isoformat()
            self.newstore.stream.publish(json.dumps(line))
            self.sleep(60)

    def read(self) -> None:
        """Let ten minutes pass, and read what has landed into the ledger as the job does."""
        self.sleep(600)
        bucket = LandingBucket(self.landing.url, tenant=self.landing.tenant, clock=self.clock.now)
        for day in {NOON.date(), self.clock.now().date()}:
            read_landing_day(day, bucket=bucket, ledger=self.ledger, tenant=self.landing.tenant)

    @property
    def integrations(self) -> list[str]:
        return [each.id for each, _ in self.newstore.stream.integrations.all()]


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=4, cap=True):
        yield


@pytest.fixture(scope="module")
def bucket_server() -> Iterator[LandingSandbox]:
    with LandingSandbox() as running:
        yield running


@pytest.fixture
def tenant(
    bucket_server: LandingSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Tenant]:
    for name, value in bucket_server.env().items():
        monkeypatch.setenv(name, value)
    found = bucket_server.client.list_objects_v2(Bucket=bucket_server.bucket)
    for item in found.get("Contents", []):
        bucket_server.client.delete_object(Bucket=bucket_server.bucket, Key=item["Key"])
    made = Tenant(bucket_server, tmp_path)
    with made.newstore:
        yield made


@pytest.fixture
def webhook(tenant: Tenant) -> Iterator[str]:
    with serving(tenant.receiver) as url:
        yield f"{url}/events"


def test_an_export_is_created_shown_stopped_and_started(tenant: Tenant) -> None:
    assert tenant.run("status").exit_code == 1
    assert tenant.run("create", "--s3").stdout == "ours was created and is running\n"
    assert "nothing done" in tenant.run("create", "--s3").stdout
    assert tenant.run("status").exit_code == 0
    assert tenant.run("stop", "--yes").exit_code == 0
    assert tenant.run("status").exit_code == 1
    assert "is running; replay" in tenant.run("start").stdout
    document = json.loads(tenant.run("status", "--json").stdout)
    assert document["integrations"][0]["target"] == tenant.landing.url
    assert document["integrations"][0]["event_filter"] == ["refund_request.issued"]


def test_normally_a_replay_brings_nothing_new(tenant: Tenant) -> None:
    tenant.run("create", "--s3")
    tenant.publish(1, 2, 3)
    tenant.read()
    result = tenant.run(*REPLAY)
    assert result.exit_code == 0, result.output
    assert "1 files, 3 lines: 3 refunds known before, 0 new" in result.stdout
    assert "nothing is new: everything of the window had arrived before" in result.stdout
    assert "this command posts nothing" in result.stdout
    assert tenant.integrations == ["ours"]


def test_what_was_missed_while_the_stream_was_stopped_is_brought_and_named(tenant: Tenant) -> None:
    tenant.run("create", "--s3")
    tenant.publish(1)
    tenant.sleep(300)
    tenant.run("stop", "--yes")
    tenant.publish(2, 3)
    tenant.run("start")
    tenant.read()
    assert tenant.ledger.refund(refund_id(2)) is None
    result = tenant.run(*REPLAY)
    assert result.exit_code == 0, result.output
    assert "1 refunds known before, 2 new" in result.stdout
    assert refund_id(2) in result.stdout
    assert refund_id(3) in result.stdout
    assert refund_id(1) not in result.stdout
    assert "on the day they landed: 2026-11-20" in result.stdout
    tenant.read()
    assert tenant.ledger.refund(refund_id(2)) is not None, "the job reads it as usual"
    assert "0 new" in tenant.run(*REPLAY).stdout


def test_a_webhook_is_replayed_to_the_same_receiver_with_its_key(
    tenant: Tenant, webhook: str
) -> None:
    assert tenant.run("create", "--webhook", webhook).exit_code == 0
    tenant.publish(1, 2)
    tenant.read()
    result = tenant.run(*REPLAY)
    assert result.exit_code == 0, result.output
    assert "2 files, 2 lines: 2 refunds known before, 0 new" in result.stdout
    assert tenant.receiver.keys == {f"Bearer {KEY}"}
    assert tenant.integrations == ["ours"]


def test_a_transport_can_be_asked_for(tenant: Tenant, webhook: str) -> None:
    tenant.run("create", "--webhook", webhook)
    tenant.publish(1)
    tenant.read()
    tenant.receiver.down = True
    result = tenant.run(*REPLAY, "--s3")
    assert result.exit_code == 0, result.output
    assert "1 refunds known before" in result.stdout


def test_a_replay_whose_receiver_refuses_is_not_taken_for_complete(
    tenant: Tenant, webhook: str
) -> None:
    tenant.run("create", "--webhook", webhook)
    tenant.publish(1, 2)
    tenant.read()
    tenant.receiver.down = True
    tenant.newstore.stream.rules = DeliveryRules(retries=1)
    result = tenant.run(*REPLAY)
    assert result.exit_code == 1
    assert "2 refunds of the window that the ledger has did not come again" in result.stdout
    assert "nothing is new" not in result.stdout
    assert tenant.integrations == ["ours"]


def test_one_that_does_not_stop_in_time_is_given_up_and_removed(tenant: Tenant) -> None:
    tenant.run("create", "--s3")
    tenant.publish(1)
    tenant.read()
    tenant.newstore.stream.disturbances = Disturbances(delayed=1.0)
    result = tenant.run(*REPLAY, "--wait", "1")
    assert result.exit_code == 1
    assert "the replay was given up" in result.stdout
    assert tenant.integrations == ["ours"]


def test_a_replay_that_is_interrupted_is_removed(tenant: Tenant) -> None:
    tenant.run("create", "--s3")
    tenant.publish(1)
    interrupted: Any = Time(tenant.clock.now, _interrupt)
    command = ["newstore", "subscription", *REPLAY]
    result = CliRunner().invoke(main, command, obj=interrupted, env=tenant.environment)
    assert result.exit_code == 1
    assert "Aborted" in result.output
    assert tenant.integrations == ["ours"]


def _interrupt(_seconds: float) -> None:
    raise KeyboardInterrupt


def test_what_a_killed_replay_left_is_removed_by_the_next(tenant: Tenant) -> None:
    tenant.run("create", "--s3")
    tenant.publish(1)
    tenant.read()
    left = {**tenant.environment, "NEWSTORE_INTEGRATION_ID": "ours-replay-20261101T000000"}
    runner = CliRunner()
    for arguments in (["create", "--s3"], ["stop", "--yes"]):
        runner.invoke(main, ["newstore", "subscription", *arguments], env=left)
    assert tenant.integrations == ["ours", "ours-replay-20261101T000000"]
    result = tenant.run(*REPLAY)
    assert "removed ours-replay-20261101T000000, left by an earlier replay" in result.stdout
    assert tenant.integrations == ["ours"]


def test_a_tenant_with_25_integrations_is_told_so(tenant: Tenant) -> None:
    tenant.run("create", "--s3")
    for number in range(24):
        other = {**tenant.environment, "NEWSTORE_INTEGRATION_ID": f"other-{number}"}
        CliRunner().invoke(main, ["newstore", "subscription", "create", "--s3"], env=other)
    assert "25 of at most 25" in tenant.run("status").stdout
    result = tenant.run(*REPLAY)
    assert result.exit_code == 1
    assert "NewStore did not take the replay: NewStore answered 400 (limit_reached)" in (
        result.stderr
    )
    assert len(tenant.integrations) == 25


def test_a_key_is_rotated_without_losing_an_event(tenant: Tenant, webhook: str) -> None:
    tenant.run("create", "--webhook", webhook)
    tenant.publish(1)
    tenant.environment["REFUNDS_RECEIVER_KEY"] = "planted-new-key"
    assert tenant.run("rotate-keys").stdout == "NewStore has the new keys of ours\n"
    tenant.publish(2)
    assert tenant.receiver.keys == {f"Bearer {KEY}", "Bearer planted-new-key"}


@pytest.mark.parametrize("asked", [("replay", "--from", "2026-11-19")])
def test_without_a_permanent_integration_the_target_has_to_be_said(tenant: Tenant, asked) -> None:
    result = tenant.run(*asked)
    assert result.exit_code == 1
    assert "ours does not exist: create it, or say --webhook URL or --s3" in result.stderr
    tenant.sleep(timedelta(hours=1).total_seconds())
    assert tenant.run(*asked, "--s3").exit_code == 0


def test_a_bucket_or_ledger_that_cannot_be_used_is_known_before_anything_is_registered(
    tenant: Tenant,
) -> None:
    tenant.run("create", "--s3")
    tenant.environment["REFUNDS_LEDGER_URL"] = "oracle://nowhere"
    result = tenant.run(*REPLAY)
    assert (result.exit_code, tenant.integrations) == (3, ["ours"])
    assert "the ledger's URL must begin with" in result.stderr


def test_an_outage_of_newstore_is_a_sentence(tenant: Tenant) -> None:
    tenant.newstore.faults.start_outage()
    for arguments in (("status",), ("start",), ("create", "--s3"), REPLAY):
        result = tenant.run(*arguments)
        assert result.exit_code == 3
        assert "NewStore answered 503" in result.stderr
