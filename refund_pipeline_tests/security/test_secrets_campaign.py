"""A campaign with planted secrets and personal data; afterwards everything written is searched.

Runs that succeed, and runs that fail in every way a run can fail: nothing planted may be found in
Dagster's storage, the ledger, the logs or an exception.
"""

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import requests
import stamina
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from refund_pipeline.definitions import build_definitions
from refund_pipeline.sandbox.retail import CASH, GIFT_CARD, PERSONAL_MARKERS
from refund_pipeline.sandbox.retailer import Retailer
from refund_pipeline.sandbox.sandbox import Sandbox
from refund_pipeline_tests.gateways.scripted_server import closed_port
from refund_pipeline_tests.security.written_files import contents, places

LAST = {"dagster/max_retries": "3", "dagster/retry_number": "3"}
FIRST = {"dagster/max_retries": "3"}
PLANTED = {
    "REFUNDS_RECEIVER_KEY": "Pl4nted-receiver-key-of-32-signs",
    "AWS_SECRET_ACCESS_KEY": "Pl4nted-aws-secret-access-key",
    "AWS_SESSION_TOKEN": "Pl4nted-aws-session-token",
    "NEWSTORE_EXPORT_AWS_SECRET_ACCESS_KEY": "Pl4nted-export-secret",
}
WRONG_SECRET = "Pl4nted-wrong-client-secret"
LEDGER_PASSWORD = "Pl4nted-ledger-password"
BROKEN_KEY = "Pl4ntedBrokenKeyPl4ntedBrokenKey"
MAIL = "jane.pl4nted@example.org"
CARD_IN_A_LINE = "6006491260550218066"
CHANNEL_TOKEN = "Pl4nted-channel-token"
MAIL_PASSWORD = "Pl4nted-mail-password"


@dataclass(frozen=True, slots=True)
class Left:
    """What a campaign has left behind."""

    folder: Path
    printed: str
    failures: str
    planted: dict[str, str]
    refund_id: str
    outcomes: dict[str, bool]


def stranger_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def key_lines(pem: str) -> dict[str, str]:
    lines = [line for line in pem.splitlines() if line and not line.startswith("-----")]
    return {f"private key {pem[-40:-36]} line {n}": line for n, line in enumerate(lines)}


class Campaign:
    """Runs of the real job, and a note of every value that must not be found afterwards."""

    def __init__(self, folder: Path, sandbox: Sandbox, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.patch = patch
        self.planted: dict[str, str] = {}
        self.failures: list[str] = []
        self.outcomes: dict[str, bool] = {}
        self.instance: Any = None

    def note(self, **planted: str) -> None:
        self.planted.update(planted)

    def run(self, what: str, day: datetime, *, tags: dict[str, str] = LAST) -> None:
        result = (
            build_definitions()
            .resolve_job_def("sync_refunds")
            .execute_in_process(
                instance=self.instance,
                partition_key=day.date().isoformat(),
                tags=tags,
                raise_on_error=False,
            )
        )
        self.outcomes[what] = result.success
        self.failures += [str(event) for event in result.all_events if event.is_failure]

    def with_environment(self, what: str, day: datetime, **changed: str) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in changed.items():
                patch.setenv(name, value)
            self.run(what, day)


def listen(campaign: Campaign, patch: pytest.MonkeyPatch) -> None:
    """Note every token and signature that is sent, and every card number the retailer makes."""
    send, number = requests.Session.send, Retailer._card_number

    def _send(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> Any:
        header = str(request.headers.get("Authorization", ""))
        for value in (header.partition(" ")[2], *re.findall(r'oauth_signature="([^"]+)"', header)):
            if value:
                campaign.note(**{f"header {len(campaign.planted)}": value})
        body = request.body.decode() if isinstance(request.body, bytes) else request.body or ""
        for value in re.findall(r"client_assertion=([^&]+)", body):
            campaign.note(**{f"assertion {len(campaign.planted)}": value})
        return send(session, request, **options)

    def _number(retailer: Retailer) -> str:
        card = number(retailer)
        campaign.note(**{f"gift card {card[-4:]}": card})
        return card

    patch.setattr(requests.Session, "send", _send)
    patch.setattr(Retailer, "_card_number", _number)


def play(campaign: Campaign, now: datetime) -> str:
    """Run it all; return a refund id that must be found, so that the search itself is proven."""
    sandbox = campaign.sandbox
    retailer = sandbox.retailer
    day = retailer.demo_day(now - timedelta(minutes=1))
    cards = [retailer.refund("store", "USD", GIFT_CARD, at=now) for _ in range(3)]
    retailer.land(*cards, at=now)
    sandbox.landing.land(hostile_lines(day.refunds[0].event_line), at=now)
    days = [now - timedelta(days=days) for days in range(1, 4)]
    for at in days:
        retailer.land(*(retailer.refund("store", "USD", CASH, at=at) for _ in range(4)), at=at)
    before, without_newstore, without_netsuite = days

    campaign.run("a good day", now)
    campaign.with_environment("NewStore refuses", before, NEWSTORE_CLIENT_SECRET=WRONG_SECRET)
    strange = stranger_key()
    campaign.note(**key_lines(strange))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("NETSUITE_PRIVATE_KEY_FILE")
        patch.setenv("NETSUITE_PRIVATE_KEY", strange)
        campaign.run("NetSuite refuses", before)
        broken = f"-----BEGIN PRIVATE KEY-----\n{BROKEN_KEY}\n-----END PRIVATE KEY-----\n"
        patch.setenv("NETSUITE_PRIVATE_KEY", broken)
        campaign.run("a broken key", before)
    port = closed_port().rpartition(":")[2]
    url = f"postgresql://refunds:{LEDGER_PASSWORD}@127.0.0.1:{port}/ledger"
    campaign.with_environment("no ledger", before, REFUNDS_LEDGER_URL=url)
    tba = sandbox.environment(auth="tba") | {"NETSUITE_TOKEN_SECRET": f"Pl4nted{'0' * 60}"}
    campaign.note(token_secret=tba["NETSUITE_TOKEN_SECRET"])
    campaign.with_environment("NetSuite refuses a signature", before, **tba)
    sandbox.newstore.faults.start_outage()
    campaign.run("NewStore is down", without_newstore)
    sandbox.newstore.faults.end_outage()
    sandbox.netsuite.faults.drop_before_commit(1000)
    campaign.run("NetSuite is down", without_netsuite, tags=FIRST)
    sandbox.netsuite.faults.drop_before_commit(0)
    campaign.with_environment("no bucket", before, AWS_ENDPOINT_URL=closed_port())
    tell_nobody(campaign)
    return day.refunds[0].refund_id


def tell_nobody(campaign: Campaign) -> None:
    """Look at all that went wrong, with channels whose URLs are secrets and that are down."""
    nobody = closed_port()
    channels = [
        f"{nobody}/hook?token={CHANNEL_TOKEN}",
        f"slack+{nobody}/services/{CHANNEL_TOKEN}",
        f"smtp://robot:{MAIL_PASSWORD}@{nobody.removeprefix('http://')}/?from=a@b.example&to={MAIL}",
        f"https://robot:{MAIL_PASSWORD}@chat.example/{CHANNEL_TOKEN}",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFUNDS_ALERTS", " ".join(channels))
        patch.setenv("REFUNDS_HEARTBEAT_URL", f"{nobody}/{CHANNEL_TOKEN}")
        job = build_definitions().resolve_job_def("watch_refunds")
        result = job.execute_in_process(instance=campaign.instance, raise_on_error=False)
        campaign.outcomes["a look that tells nobody"] = result.success


def hostile_lines(line: str) -> list[str]:
    """Lines that are rejected, with personal data where a message might quote it."""
    event = json.loads(line)
    odd = dict(event, payload=dict(event["payload"], amount=MAIL, currency=CARD_IN_A_LINE))
    return [
        f"{MAIL} {CARD_IN_A_LINE} is not json",
        json.dumps(odd),
        json.dumps(dict(event, tenant=MAIL)),
        json.dumps(dict(event, published_at=f"{MAIL} {PERSONAL_MARKERS[0]}")),
        json.dumps([MAIL, CARD_IN_A_LINE]),
        f'{{"{MAIL}": ',
    ]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    folder, state = tmp_path_factory.mktemp("campaign"), tmp_path_factory.mktemp("sandbox")
    home = folder / "home"
    home.mkdir()
    with Sandbox(state=state) as sandbox, pytest.MonkeyPatch.context() as patch:
        campaign = Campaign(folder, sandbox, patch)
        environment = sandbox.environment() | PLANTED
        environment["REFUNDS_LEDGER_URL"] = f"sqlite:///{folder / 'ledger.db'}"
        environment["DAGSTER_HOME"] = str(home)
        for name, value in environment.items():
            patch.setenv(name, value)
        campaign.note(
            **PLANTED,
            client_secret=sandbox.newstore.client_secret,
            consumer_secret=sandbox.netsuite.consumer_secret,
            right_token_secret=sandbox.netsuite.token_secret,
            wrong_secret=WRONG_SECRET,
            ledger_password=LEDGER_PASSWORD,
            broken_key=BROKEN_KEY,
            mail=MAIL,
            card_in_a_line=CARD_IN_A_LINE,
            channel_token=CHANNEL_TOKEN,
            mail_password=MAIL_PASSWORD,
            **key_lines(sandbox.netsuite.private_key_pem),
            **{f"personal {marker}": marker for marker in PERSONAL_MARKERS},
        )
        listen(campaign, patch)
        stamina.set_testing(True)
        printed = folder / "printed.txt"
        try:
            with (
                dg.DagsterInstance.local_temp(str(home)) as campaign.instance,
                captured(printed),
            ):
                refund_id = play(campaign, datetime.now(timezone.utc))
        finally:
            stamina.set_testing(False)
        yield Left(
            folder,
            printed.read_text(),
            "\n".join(campaign.failures),
            campaign.planted,
            refund_id,
            campaign.outcomes,
        )


def captured(path: Path) -> Any:
    """Write what goes to standard output and error into a file: logs of every library.

    By Python's streams, which pytest has replaced, and by the file descriptors below them.
    """

    @contextlib.contextmanager
    def _captured() -> Iterator[None]:
        sys.stdout.flush()
        sys.stderr.flush()
        kept = os.dup(1), os.dup(2)
        with path.open("ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            try:
                with (
                    path.open("a", buffering=1, encoding="utf-8") as text,
                    contextlib.redirect_stdout(text),
                    contextlib.redirect_stderr(text),
                ):
                    yield
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                for number, descriptor in zip((1, 2), kept, strict=True):
                    os.dup2(descriptor, number)
                    os.close(descriptor)

    return _captured()


def test_the_campaign_ran_as_it_was_meant(left: Left) -> None:
    assert [what for what, success in left.outcomes.items() if success] == [
        "a good day",
        "a look that tells nobody",
    ]
    assert len(left.outcomes) == 10
    assert "slack 127.0.0.1 was not told" in left.printed
    assert sum(name.startswith("gift card") for name in left.planted) >= 3
    assert sum(name.startswith("header") for name in left.planted) >= 5
    assert sum(name.startswith("assertion") for name in left.planted) >= 2


def test_the_search_finds_what_is_there(left: Left) -> None:
    found = places(left.folder, left.refund_id)
    assert any("ledger" in name for name in found)
    assert any("event_logs" in name for name in found)
    assert len([*contents(left.folder)]) > 100
    assert places(left.folder, "reconcile_everything"), "it stands in packed snapshots alone"
    assert left.failures
    assert "refuse" in left.failures


def test_nothing_planted_was_written_anywhere(left: Left) -> None:
    everything = [*contents(left.folder)]
    found = {
        name: sorted({place for place, content in everything if value.encode() in content})
        for name, value in left.planted.items()
    }
    assert {name: where for name, where in found.items() if where} == {}


def test_nothing_planted_is_in_an_exception(left: Left) -> None:
    assert [name for name, value in left.planted.items() if value in left.failures] == []
