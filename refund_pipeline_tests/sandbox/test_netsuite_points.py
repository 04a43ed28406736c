"""The 45 points of contract netsuite 8: where each is shown by a client that does it wrong.

A test says which points it shows by comments above it, one `# point N` a line.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
_MARKER = re.compile(r"^# point (\d+)$", re.MULTILINE)
_OF_A_TEST = re.compile(r"\A(?:# .*\n)*(?:@|def test_)")


@dataclass(frozen=True)
class Point:
    """What is simulated, and in which `test_netsuite_<name>.py` here it is mainly shown."""

    what: str
    where: tuple[str, ...] = ()
    reason: str | None = None
    """Why it cannot be simulated; None for a point that is."""


POINTS = {
    1: Point("host, realm and path of another account", ("auth", "auth_tba")),
    2: Point("TBA: every parameter, clock, nonce, signature", ("auth_tba",)),
    3: Point("five failures lock the user for half an hour", ("auth_tba",)),
    4: Point("token endpoint: form, assertion, certificate, audience, lifetime", ("auth",)),
    5: Point("bearer: unknown, expired, of another account or scope", ("auth",)),
    6: Point("role without REST, without edit access, without SuiteQL", ("roles",)),
    7: Point("content type, malformed JSON, body above the limit", ("records",)),
    8: Point(
        "unknown record type, wrong method, unknown query parameter", ("records", "jobs", "writes")
    ),
    9: Point("an unknown property is dropped in silence unless refusal is asked for", ("records",)),
    10: Point("wrong JSON types, dates and numbers; values dropped on request", ("records",)),
    11: Point("read-only properties are refused or ignored", ("account_settings",)),
    12: Point("lines as a bare array", ("account_settings",)),
    13: Point("a created record answers 204, no body, an absolute Location", ("records",)),
    14: Point("sublists as links, lists of ids, pages of at most 1000", ("records",)),
    15: Point("`eid:` in any letter case, the pipe, the miss", ("records",)),
    16: Point("an id unknown or of another type is a 400", ("records",)),
    17: Point("an idempotency key protects nothing on a synchronous call", ("records", "jobs")),
    18: Point(
        "SuiteQL: transient, parameters, dialect, texts, nulls, lag",
        ("suiteql", "suiteql_dialect", "suiteql_switches"),
    ),
    19: Point("asynchronous jobs, their tasks, results and keys", ("jobs",)),
    20: Point("an external id is unique across all transaction types", ("records", "writes")),
    21: Point("PUT creates once, then updates; lines are appended unless replaced", ("writes",)),
    22: Point("PATCH of a line updates it, of an unknown one adds it", ("writes",)),
    23: Point("every missing mandatory field is named", ("refund_rules",)),
    24: Point(
        "every reference exists, is active, fits its subsidiary",
        ("refund_rules", "account_settings"),
    ),
    25: Point("subsidiaries and currencies of the customer", ("refund_rules", "origins")),
    26: Point("`createdFrom` is a cash sale of the same customer", ("origins", "refund_rules")),
    27: Point("transforms: allowed pairs, copied lines, stock", ("transforms",)),
    28: Point(
        "amounts: quantity times rate, precision, the total by the server", ("refund_rules",)
    ),
    29: Point("a payment item that is positive or taxable is flagged", ("refund_rules", "taxes")),
    30: Point("taxes of legacy and SuiteTax accounts", ("taxes",)),
    31: Point("undeposited funds override the account", ("account_settings",)),
    32: Point("second payouts are counted", ("refund_rules",)),
    33: Point(
        "periods: closed, locked, missing; dates in the future",
        ("refund_rules", "account_settings"),
    ),
    34: Point("locked and deposited records cannot be updated", ("writes",)),
    35: Point(
        "user-event scripts refuse, alter, slow down, change the external id", ("other_people",)
    ),
    36: Point("custom fields: typed, per record, of limited length", ("account_settings",)),
    37: Point("merged customers and deleted sales", ("other_people",)),
    38: Point(
        "numbers, times and balanced postings of what is stored", ("records", "refund_rules")
    ),
    39: Point(
        "requests in flight: one pool, other integrations, 429 and nothing done",
        ("faults", "governance"),
    ),
    40: Point("latencies on a scaled clock, stalls", ("governance",)),
    41: Point(
        "answers lost, late, wrong, cut, dripping; 401 bursts; maintenance",
        ("fault_scripts", "faults"),
    ),
    42: Point(
        "tokens and certificates that end during a run; clocks that differ",
        ("auth", "auth_tba", "fault_scripts"),
    ),
    43: Point("creates that race under one external id make one record", ("governance", "records")),
    44: Point("messages in the language of the user", ("governance",)),
    45: Point(
        "the audit: in flight, nonces, PUT without replace, second payouts",
        ("auth", "auth_tba", "faults", "governance"),
    ),
}


def _files() -> list[Path]:
    return sorted(path for path in TESTS.rglob("test_*.py") if path != Path(__file__))


def marked() -> dict[int, set[str]]:
    """Return the files with a marker, by point."""
    found: dict[int, set[str]] = defaultdict(set)
    for path in _files():
        for number in _MARKER.findall(path.read_text()):
            found[int(number)].add(path.relative_to(TESTS).as_posix())
    return found


def test_every_point_is_in_the_table_once():
    assert list(POINTS) == list(range(1, 46))


def test_every_point_is_shown_by_a_test_or_says_why_not():
    shown = marked()
    missing = {
        number: point.what
        for number, point in POINTS.items()
        if number not in shown and point.reason is None
    }
    assert missing == {}
    assert set(shown) <= set(POINTS)


@pytest.mark.parametrize("number", POINTS)
def test_the_files_the_table_names_show_the_point(number):
    shown = marked()[number]
    named = {f"sandbox/test_netsuite_{name}.py" for name in POINTS[number].where}
    assert named <= shown
    assert bool(named) is (POINTS[number].reason is None)


def test_a_marker_stands_right_above_a_test():
    for path in _files():
        text = path.read_text()
        for marker in _MARKER.finditer(text):
            assert _OF_A_TEST.match(text[marker.start() :]), f"{path.name}: {marker[0]}"
