"""Text from outside stays text: in SQL, SuiteQL, GraphQL, JSON, YAML, paths and URLs."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.errors import InvalidMapping, Misconfigured, PipelineError
from refund_pipeline.domain.resolutions import Decision, InvalidDecision
from refund_pipeline.gateways.http import Answer, Http, checked_base_url, exact_json
from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.gateways.ledger.database import Database
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.mapping_file import load_mapping
from refund_pipeline.gateways.netsuite import NetSuite
from refund_pipeline.gateways.netsuite_auth import Authenticator, services_url
from refund_pipeline.gateways.netsuite_records import body
from refund_pipeline.gateways.newstore_queries import Selection, items_query, orders_query
from refund_pipeline.gateways.s3 import split_url
from refund_pipeline.steps.landing import read_landing_day
from refund_pipeline_tests.fakes import (
    DAY,
    EXAMPLE_MAPPING,
    NOON,
    FakeClock,
    event_line,
    opened_ledger,
    refund_id,
    transaction,
)
from refund_pipeline_tests.gateways.fake_s3 import FakeS3
from refund_pipeline_tests.gateways.newstore_makers import fields_of

TRICKS = (
    "'",
    "''",
    '"',
    "'; DROP TABLE refund_event; --",
    "' OR '1'='1",
    "') UNION SELECT secret FROM customer --",
    "?",
    ":tenant",
    "%s%(x)s",
    "{values}",
    "{after}",
    "{field}",
    "\\",
    "\\'; --",
    "a\nb",
    "/* */",
    "../../etc/passwd",
    "..%2f..%2f",
    "?admin=true#",
    "https://evil.invalid/",
    "@evil.invalid",
    "}) { mutation",
    '", tenant: "rival',
    "${HOME}",
    "$(id)",
    "`id`",
    "{{7*7}}",
    "!!python/object/apply:os.system ['id']",
    "\u202e\u0000".replace("\u0000", ""),
    "ﬀ" * 50,
)


# The ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return opened_ledger(tmp_path, FakeClock())


def landed(ledger: Ledger, lines: list[str], *, tenant: str = "demo", name: str = "x") -> None:
    store: Any = FakeS3()
    store.put(
        f"events/{tenant}/{int(NOON.timestamp() * 1000)}-data-{name}.export",
        "\n".join(lines).encode(),
    )
    bucket = LandingBucket(
        "s3://landing/events", tenant=tenant, client=lambda: store, clock=FakeClock().now
    )
    read_landing_day(DAY, bucket=bucket, ledger=ledger, tenant=tenant)


def test_reasons_are_kept_as_they_came(ledger: Ledger, tmp_path: Path) -> None:
    lines = [event_line(n, return_reason=trick) for n, trick in enumerate(TRICKS)]
    landed(ledger, lines)
    ledger.close()
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT refund_id, reason FROM refund_event")).all()
    engine.dispose()
    kept = dict(map(tuple, rows))
    expected = {refund_id(n): trick.strip()[:200] for n, trick in enumerate(TRICKS)}
    assert kept == expected


@pytest.mark.parametrize("name", ["id", "order_id", "payment_account_id", "return_id"])
def test_an_identifier_with_anything_but_letters_and_digits_is_rejected(
    ledger: Ledger, name: str
) -> None:
    tricks = [trick for trick in TRICKS if trick.strip()]
    landed(ledger, [event_line(n, **{name: trick}) for n, trick in enumerate(tricks)])
    totals = ledger.file_totals(DAY)
    assert (totals.events, totals.rejected) == (0, len(tricks))
    assert all(name in row.problems[0] for row in ledger.rejected_lines(DAY, limit=100))


def test_a_tenant_names_nobody_else_s_files_and_nothing_else(ledger: Ledger) -> None:
    for tenant in ("demo'; DROP TABLE refund_event; --", "..", "demo/../rival", "%", "_"):
        store: Any = FakeS3()
        stamp = int(NOON.timestamp() * 1000)
        for owner in ("rival", "demo"):
            store.put(f"events/{owner}/{stamp}-data-x.export", event_line(1).encode())
        bucket = LandingBucket(
            "s3://landing/events", tenant=tenant, client=lambda s=store: s, clock=FakeClock().now
        )
        read_landing_day(DAY, bucket=bucket, ledger=ledger, tenant=tenant)
        assert store.gets == []
    assert ledger.file_totals(DAY).files == 0


def test_looking_up_a_trick_in_the_ledger_finds_nothing_and_harms_nothing(ledger: Ledger) -> None:
    landed(ledger, [event_line(1)])
    for trick in TRICKS:
        assert ledger.refund(trick) is None
        assert ledger.known_files([trick]) == frozenset()
        assert ledger.refunds(statuses=[trick]) == []
        assert ledger.resolve([trick], Decision(Action.RELEASE, "x", "x")) == []
    assert ledger.file_totals(DAY).events == 1


def test_who_decided_and_why_are_kept_as_text_or_refused(ledger: Ledger) -> None:
    landed(ledger, [event_line(1)])
    kept = []
    for trick in TRICKS:
        try:
            decision = Decision(Action.SKIP, trick, trick)
        except InvalidDecision:
            assert not trick.isprintable() or not trick.strip() or len(trick) > 100
            continue
        ledger.resolve([refund_id(1)], decision)
        ledger.resolve([refund_id(1)], Decision(Action.REOPEN, trick, trick))
        kept += [(trick.strip(), trick.strip())] * 2
    made = ledger.resolutions([refund_id(1)])[refund_id(1)]
    assert [(one.actor, one.note) for one in made] == kept
    assert len(kept) > 20


# SuiteQL


class Unsigned(Authenticator):
    refused_hint = "nothing"
    requests_made = 0  # type: ignore[assignment]

    def headers(self, method: str, url: str) -> dict[str, str]:
        return {}

    def refused(self, headers: object) -> bool:
        return False


@dataclass
class Asked:
    """What would have been sent."""

    urls: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    kept = Asked()

    def _read(self: Http, doing: str, method: str, url: str, **request: Any) -> Answer:
        kept.urls.append(url)
        if request.get("body"):
            kept.bodies.append(json.loads(request["body"]))
        return Answer(200, {}, {"items": [], "hasMore": False}, is_json=True)

    monkeypatch.setattr(Http, "read", _read)
    return kept


@pytest.fixture
def netsuite(asked: Asked) -> Iterator[NetSuite]:
    client = NetSuite(
        account="1234567",
        base_url=None,
        authenticator=Unsigned(),
        custom_fields=["custbody_nst_order_number"],
    )
    yield client
    client.close()


def test_values_of_suiteql_are_bound_and_the_query_is_the_same_whatever_they_are(
    netsuite: NetSuite, asked: Asked
) -> None:
    netsuite.find(["plain"] * len(TRICKS))
    netsuite.origins(["plain"] * len(TRICKS), fields=["otherrefnum"])
    netsuite.ours("plain", start=date(2026, 1, 1), end=date(2026, 1, 1))
    harmless, asked.bodies = asked.bodies, []
    netsuite.find(TRICKS)
    netsuite.origins(TRICKS, fields=["otherrefnum"])
    netsuite.ours(TRICKS[3], start=date(2026, 1, 1), end=date(2026, 1, 1))
    assert [one["q"] for one in asked.bodies] == [one["q"] for one in harmless]
    assert set(TRICKS) <= set(asked.bodies[0]["params"])
    assert set(TRICKS) <= set(asked.bodies[1]["params"])
    assert f"{TRICKS[3]}%" in asked.bodies[2]["params"]


@pytest.mark.parametrize("trick", [*TRICKS, "custbody_x; --", "id", "custbody_x y", "custbody_ä"])
def test_only_the_name_of_a_field_gets_into_a_query(netsuite: NetSuite, trick: str) -> None:
    with pytest.raises(Misconfigured):
        netsuite.origins(["SO-1"], fields=[trick])
    with pytest.raises(Misconfigured):
        NetSuite(account="1234567", base_url=None, authenticator=Unsigned(), custom_fields=[trick])


def test_text_in_a_record_stays_one_json_string() -> None:
    plain = body(transaction())
    for trick in TRICKS:
        written = dict(plain) | {"memo": trick}
        assert json.loads(exact_json(written)) == json.loads(json.dumps(written, default=float))


def test_a_reason_in_an_event_changes_no_field_of_the_record() -> None:
    plain = json.loads(exact_json(body(transaction())))
    for trick in TRICKS:
        built = json.loads(exact_json(body(transaction(reason=trick, reason_code="2"))))
        assert set(built) == set(plain)
        assert built["externalId"] == plain["externalId"]


# GraphQL


def test_ids_and_tenants_are_variables_and_a_cursor_is_one_literal() -> None:
    assert not any(trick in orders_query(3, Selection()) for trick in TRICKS if len(trick) > 9)
    for trick in TRICKS:
        query = items_query(trick)
        assert fields_of(query) == fields_of(items_query("plain"))


# The mapping


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch {marker}']",
        "a: !!python/object/apply:subprocess.check_output [[touch, '{marker}']]",
        "a: !!python/name:os.system",
        "a: !!python/module:os",
        "a: !!python/object/new:type [x, [], {{}}]",
        "!!map {{? !!python/object/apply:os.system ['touch {marker}'] : 1}}",
        "a: !<tag:yaml.org,2002:python/object/apply:os.system> ['touch {marker}']",
        "a: !include /etc/passwd",
        "a: !ENV ${{HOME}}",
    ],
)
def test_the_mapping_executes_nothing(tmp_path: Path, text: str) -> None:
    marker = tmp_path / "executed"
    path = tmp_path / "mapping.yaml"
    path.write_text(text.format(marker=marker))
    with pytest.raises(InvalidMapping):
        load_mapping(str(path))
    assert not marker.exists()


def test_a_mapping_that_grows_without_end_is_refused_at_once(tmp_path: Path) -> None:
    laughs = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    laughs += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    path = tmp_path / "mapping.yaml"
    path.write_text("\n".join(laughs))
    with pytest.raises(InvalidMapping) as refused:
        load_mapping(str(path))
    assert len(str(refused.value)) < 10_000


@pytest.mark.parametrize("depth", [500, 20_000])
def test_a_mapping_nested_deeply_is_refused(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text("a: " + "[" * depth + "]" * depth)
    with pytest.raises(InvalidMapping):
        load_mapping(str(path))


@pytest.mark.parametrize(
    ("line", "good"),
    [
        ("external_id_prefix: {trick}", "nst-"),
        ("custom_form: {trick}", "1"),
        ("custom_fields: {{order_number: {trick}}}", "custbody_x"),
        ("origins: [{trick}]", "custbody_x"),
    ],
)
def test_what_reaches_a_url_or_a_query_from_the_mapping_is_checked(
    tmp_path: Path, line: str, good: str
) -> None:
    text = EXAMPLE_MAPPING.read_text()
    name = line.partition(":")[0]
    rest = re.sub(rf"(?ms)^{name}:.*?(?=^\S|\Z)", "", text)
    path = tmp_path / "mapping.yaml"
    path.write_text(f"{rest}\n{line.format(trick=json.dumps(good))}\n")
    load_mapping(str(path))
    for trick in (*TRICKS, "nst-/../x", "custbody_x\nSELECT", "custbody_x\n"):
        path.write_text(f"{rest}\n{line.format(trick=json.dumps(trick))}\n")
        with pytest.raises(InvalidMapping):
            load_mapping(str(path))


# Settings

BAD_URLS = (
    "http://evil.invalid",
    "http://localhost.evil.invalid",
    "http://127.0.0.1.evil.invalid",
    "http://127.0.0.1@evil.invalid",
    "https://user:s3cret@api.invalid",
    "https://api.invalid?x=1",
    "https://api.invalid#x",
    "https://api.invalid\\@evil.invalid",
    "https://api.invalid\r\nHost: evil.invalid",
    "https://api.invalid /",
    "https://",
    "https://[::1",
    "https://api.invalid:99999",
    "ftp://api.invalid",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "//api.invalid",
    "api.invalid",
    "",
)


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_url_that_could_lead_credentials_elsewhere_is_refused_without_being_shown(
    url: str,
) -> None:
    with pytest.raises(Misconfigured) as refused:
        checked_base_url(url, name="NEWSTORE_BASE_URL")
    assert "s3cret" not in str(refused.value)
    if url.strip():
        with pytest.raises(Misconfigured):
            services_url("1234567", url)


@pytest.mark.parametrize(
    "account", [*TRICKS, "1234567.evil.invalid/", "1/2", "1#", "1:2", "\uff11"]
)
def test_an_account_is_a_name_and_no_part_of_a_url(account: str) -> None:
    with pytest.raises(Misconfigured):
        services_url(account, None)


@pytest.mark.parametrize(
    "url",
    ["", "s3://", "s3:///key", "s3://a", "s3://../x", "s3://b@d/x", "https://bucket/x", "b/x"],
)
def test_a_bucket_s_url_names_a_bucket(url: str) -> None:
    with pytest.raises(Misconfigured):
        split_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file::memory:?mode=memory&uri=true",
        "sqlite+pysqlcipher://:s3cret@/x.db",
        "mysql://root:s3cret@db.invalid/ledger",
        "postgresql+asyncpg://u:s3cret@db.invalid/ledger",
        "postgresql://u:p@s3cret@db.invalid:5432/ledger",
        "postgresql://u:s3cret@db.invalid:port/ledger",
    ],
)
def test_a_ledger_s_url_is_one_of_two_databases_and_its_password_is_not_shown(url: str) -> None:
    database = Database(url)
    with pytest.raises(PipelineError) as refused, database.read():
        pass
    shown: BaseException | None = refused.value
    while shown is not None:
        assert "s3cret" not in repr(shown)
        shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
