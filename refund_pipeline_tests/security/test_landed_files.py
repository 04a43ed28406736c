"""Whole files nobody should have landed: every line accounted for, memory bounded, no crash."""

import gzip
import json
import random
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import FileTotals
from refund_pipeline.sandbox.event_lines import envelope, impossible, republished
from refund_pipeline.steps import landing as landing_step
from refund_pipeline.steps.landing import read_landing_day
from refund_pipeline_tests.fakes import DAY, NOON, FakeClock, event_line, opened_ledger
from refund_pipeline_tests.gateways.fake_s3 import MODIFIED, FakeS3
from refund_pipeline_tests.security.campaign_size import cases
from refund_pipeline_tests.security.generated_s3 import GeneratedS3

MB = 1024 * 1024
NOON_MS = int(NOON.timestamp() * 1000)
BASE = "events/demo/"
MARKER = "Zq7marker"
BATCH = 250
"""Files of one run; their counts are compared after it."""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return opened_ledger(tmp_path, FakeClock())


def bucket_of(store: Any) -> LandingBucket:
    return LandingBucket(
        "s3://landing/events", tenant="demo", client=lambda: store, clock=FakeClock().now
    )


def read(store: Any, ledger: Ledger) -> FileTotals:
    read_landing_day(DAY, bucket=bucket_of(store), ledger=ledger, tenant="demo")
    return ledger.file_totals(DAY)


def accounted(totals: FileTotals) -> int:
    """How many lines ended as one of the five things; a conflict is among the rejected."""
    return totals.events + totals.duplicates + totals.rejected + sum(totals.other_events.values())


@contextmanager
def at_most(megabytes: float) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < megabytes * MB, f"{peak / MB:.1f} MB"


# Files of many shapes


def lines_of(rng: random.Random) -> list[bytes]:
    return [rng.choice(LINES)(rng) for _ in range(rng.randrange(6))]


def _event(rng: random.Random) -> bytes:
    return event_line(rng.randrange(5_000)).encode()


def _damaged(rng: random.Random) -> bytes:
    line = bytearray(_event(rng))
    for _ in range(rng.randrange(1, 5)):
        where = rng.randrange(len(line))
        match rng.randrange(3):
            case 0:
                del line[where : where + rng.randrange(1, 30)]
            case 1:
                line[where : where + 1] = rng.randbytes(rng.randrange(1, 5))
            case _:
                line.insert(where, rng.choice(b'\x00"\\{[\xff\r'))
        if not line:
            line = bytearray(b"{")
    return bytes(line)


def _odd_field(rng: random.Random) -> bytes:
    event = json.loads(_event(rng))
    name = rng.choice(list(event["payload"]))
    event["payload"][name] = rng.choice(
        [
            None,
            [],
            {},
            True,
            -1,
            10**30,
            "",
            "\x00",
            "\ud800",
            f"'; DROP TABLE {MARKER}; --",
            "😀" * 70,
        ]
    )
    return json.dumps(event).encode()


LINES: list[Callable[[random.Random], bytes]] = [
    _event,
    _event,
    _damaged,
    _odd_field,
    lambda rng: republished(event_line(rng.randrange(5_000)), at=NOON).encode(),
    lambda rng: event_line(rng.randrange(5_000), amount="13.00").encode(),
    lambda rng: impossible(event_line(rng.randrange(5_000))).encode(),
    lambda _: envelope("order.opened", {"id": "1"}, tenant="demo", published_at=NOON).encode(),
    lambda rng: event_line(rng.randrange(5_000), tenant="rival").encode(),
    lambda rng: rng.randbytes(rng.randrange(1, 200)),
    lambda rng: b"\x00" * rng.randrange(1, 200),
    lambda rng: b"[" * rng.choice([10, 1_000, 10_000]),
    lambda rng: b'{"a":' * rng.choice([10, 10_000]),
    lambda rng: b'{"payload":{"amount":' + b"9" * rng.choice([100, 5_000]) + b"}}",
    lambda _: b'{"payload":{"amount":1e999999999999999999}}',
    lambda rng: event_line(rng.randrange(5_000)).encode("utf-16"),
    lambda rng: b"\xef\xbb\xbf" + event_line(rng.randrange(5_000)).encode(),
    lambda _: b"",
    lambda rng: rng.choice([b" ", b"\t", b"\r", b"\x0b\x0c", b"  \r"]),
    lambda _: b"<!doctype html><html>",
]


def non_blank(content: bytes) -> int:
    """How many lines there are to account for, counted in the plainest way."""
    first, *rest = content.split(b"\n")
    lines = [first.removeprefix(b"\xef\xbb\xbf"), *rest]
    return sum(1 for line in lines if line.strip(b" \t\n\r\x0b\x0c"))


def whole_lines(packed: bytes) -> int:
    """What gunzip gets out of damaged data: the lines that end, and one for the damage."""
    unpacked = bytearray()
    rest = packed
    while rest:
        unpacker = zlib.decompressobj(wbits=31)
        try:
            for number in range(len(rest)):  # byte by byte: an error would take the rest with it
                unpacked += unpacker.decompress(rest[number : number + 1])
                if unpacker.eof:
                    break
        except zlib.error:
            break
        if not unpacker.eof:
            break
        rest = rest[number + 1 :]
    return non_blank(bytes(unpacked))


def file_of(rng: random.Random) -> tuple[bytes, int | None]:
    """Return a file and how many lines it has; None where only the reader can say."""
    end = rng.choice([b"\n", b"\n", b"\r\n", b"\n\n"])
    content = end.join(lines_of(rng)) + rng.choice([b"", end])
    match rng.randrange(6):
        case 0:
            return gzip.compress(content), non_blank(content)
        case 1:
            packed = gzip.compress(content)
            return packed[: rng.randrange(len(packed))], None
        case 2:
            packed = bytearray(gzip.compress(content))
            packed[rng.randrange(2, len(packed))] ^= 1 << rng.randrange(8)
            return bytes(packed), None
        case 3:
            return gzip.compress(content) + rng.randbytes(rng.randrange(1, 20)), None
        case _:
            return content, None if content.startswith(b"\x1f\x8b") else non_blank(content)


FILES = cases(1_250, chaos=25_000)


@pytest.mark.parametrize("batch", range(FILES // BATCH))
@pytest.mark.timeout(300)
def test_every_line_of_every_file_is_accounted_for(batch: int, ledger: Ledger) -> None:
    rng = random.Random(batch)
    store = FakeS3()
    known, unknown = 0, 0
    for number in range(BATCH):
        content, lines = file_of(rng)
        store.put(f"{BASE}{NOON_MS + number}-data-{number}.export", content)
        if lines is None:
            unknown += whole_lines(content) + 1
        else:
            known += lines
    totals = read(store, ledger)
    assert totals.files == BATCH
    assert accounted(totals) == totals.lines
    assert known <= totals.lines <= known + unknown
    again = read_landing_day(DAY, bucket=bucket_of(store), ledger=ledger, tenant="demo")
    assert again.files == 0, "a bad file is read once"


# Keys of many shapes


def key_of(rng: random.Random, number: int) -> str:
    stamp = str(NOON_MS + number)
    name = rng.choice(
        [
            f"{stamp}-data-x/../../../etc/passwd",
            f"../demo/{stamp}-data-x.export",
            f"..{number}",
            f"{stamp}-data-{'x' * 900}.export",
            f"{stamp}-data-{'é' * 400}.export",
            f"{stamp}-data-x.export\n{number}",
            f"{stamp}-data-'; DROP TABLE refund_event; --{number}",
            f"{stamp}-data-%2e%2e%2f{number}.export",
            f"{stamp}-data-\u202egro.tropxe{number}",
            f"{stamp}-data-\x01\x7f{number}.export",
            f"{stamp[:7]}{number}",
            f"\U0001f4b8{number}",
            f"{'9' * 30}{number}",
            f" {stamp}-data-x{number}.export",
            f"{stamp}-data-x{number}.export/",
            f"{stamp}-DATA-x{number}.export",
            f"{''.join(chr(rng.randrange(1, 0xD7FF)) for _ in range(20))}{number}",
        ]
    )
    return f"{BASE}{name}"


KEYS = cases(1_000, chaos=20_000)


def test_every_key_is_read_or_shown_as_a_stray_once(ledger: Ledger) -> None:
    rng = random.Random(7)
    store = FakeS3()
    for number in range(KEYS):
        store.put(key_of(rng, number), b"not json")
    for day in (DAY, MODIFIED.date()):
        for _ in range(2):
            read_landing_day(day, bucket=bucket_of(store), ledger=ledger, tenant="demo")
    totals = [ledger.file_totals(day) for day in {DAY, MODIFIED.date()}]
    ahead = read_landing_day(DAY, bucket=bucket_of(store), ledger=ledger, tenant="demo").ahead
    seen = ledger.known_files(list(store.objects))
    elsewhere = sum(
        1
        for obj in [*bucket_of(store).since(NOON.replace(year=2001))]
        for one in obj
        if one.listing_day not in {DAY, MODIFIED.date(), None}
    )
    assert len(seen) + ahead + elsewhere == len(store.objects)
    assert sum(one.files + one.strays for one in totals) == len(seen)
    assert sum(one.rejected for one in totals) == len(seen)


def test_a_key_with_nul_is_a_stray_a_database_can_hold(ledger: Ledger) -> None:
    store = FakeS3()
    store.put(f"{BASE}{NOON_MS}-data-x\x00.export", event_line(1).encode())
    totals = read(store, ledger)
    (rejected,) = ledger.rejected_lines(DAY)
    assert (totals.strays, totals.events) == (1, 0)
    assert rejected.key == f"{BASE}{NOON_MS}-data-x\u2400.export"


def test_a_key_outside_the_tenant_is_never_read(ledger: Ledger) -> None:
    store = FakeS3()
    for key in ("events/rival/", "events/demo2/", "events/", "", "events/demo/../rival/"):
        store.put(f"{key}{NOON_MS}-data-x.export", event_line(1).encode())
    totals = read(store, ledger)
    assert totals.events == 0
    assert not any("rival/1" in asked["Key"] for asked in store.gets)


# Large


def test_a_line_of_a_hundred_megabytes_is_counted_and_not_kept(ledger: Ledger) -> None:
    piece = b"x" * MB

    def pieces() -> Iterator[bytes]:
        yield event_line(1).encode() + b"\n"
        for _ in range(100):
            yield piece
        yield b"\n" + event_line(2).encode()

    size = sum(len(one) for one in (event_line(1), event_line(2))) + 2 + 100 * MB
    store = GeneratedS3(f"{BASE}{NOON_MS}-data-x.export", size, pieces)
    with at_most(32):
        totals = read(store, ledger)
    (rejected,) = ledger.rejected_lines(DAY)
    assert (totals.events, totals.lines) == (2, 3)
    assert (rejected.line_number, rejected.line_bytes) == (2, 100 * MB)


def bomb(line: bytes, size: int) -> bytes:
    """Pack `line` again and again, to `size` bytes unpacked, without holding them."""
    packer = zlib.compressobj(level=1, wbits=31)
    piece = line * (MB // len(line))
    packed = b"".join(packer.compress(piece) for _ in range(size // len(piece)))
    return packed + packer.flush()


@pytest.mark.parametrize(
    ("line", "megabytes", "lines"),
    [(b"x", 64, 1), (b"\x00", 64, 1), (b"\n", 2, 0)],
    ids=["one line", "NUL", "blank lines"],
)
def test_a_gzip_bomb_costs_little_memory(
    line: bytes, megabytes: int, lines: int, ledger: Ledger
) -> None:
    store = FakeS3()
    store.put(f"{BASE}{NOON_MS}-data-x.export", bomb(line, megabytes * MB))
    with at_most(40 if lines else 8):
        totals = read(store, ledger)
    assert totals.lines == totals.rejected == lines


def test_a_gzip_bomb_of_bad_lines_stops_at_the_most_a_person_could_look_at(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing_step, "_MOST_REJECTED", 1_000)
    store = FakeS3()
    packed = gzip.compress(event_line(1).encode() + b"\n") + bomb(b"x\n", 64 * MB)
    store.put(f"{BASE}{NOON_MS}-data-x.export", packed)
    with at_most(16):
        totals = read(store, ledger)
    assert (totals.events, totals.rejected, totals.lines) == (1, 1_001, 1_002)
    last = ledger.rejected_lines(DAY, limit=2_000)[-1]
    assert last.line_number == 1_002
    assert last.problems == (
        "1000 lines before are no events: the rest of the file was not read; look at the file",
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"\r\n\r\n",
        b" \t\n" * 1_000,
        b"\xef\xbb\xbf",
        gzip.compress(b""),
        b"\xef\xbb\xbf\r\n",
    ],
    ids=["empty", "newline", "CRLF", "spaces", "BOM", "packed empty", "BOM and CRLF"],
)
def test_a_file_without_lines_is_recorded_and_has_none(content: bytes, ledger: Ledger) -> None:
    store = FakeS3()
    store.put(f"{BASE}{NOON_MS}-data-x.export", content)
    totals = read(store, ledger)
    assert (totals.files, totals.lines, accounted(totals)) == (1, 0, 0)


def test_windows_line_ends_change_nothing(ledger: Ledger) -> None:
    store = FakeS3()
    lines = [event_line(number) for number in range(3)]
    store.put(f"{BASE}{NOON_MS}-data-x.export", "\r\n".join([*lines, ""]).encode())
    totals = read(store, ledger)
    assert (totals.events, totals.lines) == (3, 3)


def test_no_value_of_a_bad_line_reaches_the_ledger(ledger: Ledger, tmp_path: Path) -> None:
    store = FakeS3()
    bad = [
        json.dumps({"tenant": "demo", "name": MARKER, "payload": MARKER}),
        f"{MARKER} is not json",
        event_line(1, currency=MARKER),
        json.dumps([MARKER]),
        event_line(1, tenant=MARKER),
    ]
    store.put(f"{BASE}{NOON_MS}-data-x.export", "\n".join(bad).encode())
    totals = read(store, ledger)
    assert totals.rejected == len(bad)
    ledger.close()
    written = [path.read_bytes() for path in tmp_path.glob("ledger.db*")]
    assert written
    assert not any(MARKER.encode() in content for content in written)


LINES_ALONE = cases(2_500, chaos=55_000)


@pytest.mark.timeout(300)
def test_lines_of_every_kind_in_one_file(ledger: Ledger) -> None:
    rng = random.Random(11)
    content = b"\n".join(rng.choice(LINES)(rng) for _ in range(LINES_ALONE))
    store = FakeS3()
    store.put(f"{BASE}{NOON_MS}-data-x.export", b"\n" + content)
    totals = read(store, ledger)
    assert totals.lines == non_blank(b"\n" + content)
    assert accounted(totals) == totals.lines
    assert totals.files == 1
