"""What NetSuite's answer to a POST means: contract netsuite 5.2 and 5.3 as one table.

The first rule that fits decides. No rule looks at the text of a message: it is in the language of
the integration's user. A refusal is never the last word, since a refused call can have created the
record; the caller looks it up.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.domain.outcomes import Busy, Posted, PostOutcome, Refused, Uncertain
from refund_pipeline.gateways.http import Answer, retry_after

_LOCATION = re.compile(r"/cashrefund/(\d{1,18})/?$", re.IGNORECASE | re.ASCII)
_CODE = re.compile(r"[A-Z_]{1,60}", re.ASCII)
_PATH = re.compile(r"[A-Za-z0-9_.\[\]]{1,100}", re.ASCII)
_SAFE_TEXTS = (
    # What NetSuite says without quoting our data; everything else of its text is left out.
    re.compile(r"already exists", re.IGNORECASE),
    re.compile(r"closed (transaction |accounting )?period", re.IGNORECASE),
    re.compile(r"Please enter value\(s\) for: [\w ,/-]{1,100}"),
    re.compile(r"Invalid \w{1,30} reference key \d{1,18} for subsidiary \d{1,18}"),
)


class Meaning(Enum):
    """What an answer means for the refund, or for the whole batch."""

    POSTED = "posted"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"
    BUSY = "busy"
    SYSTEMIC = "systemic"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: every condition that is given must hold."""

    what: str
    meaning: Meaning
    statuses: Collection[int] = range(1000)
    codes: frozenset[str] = frozenset()
    """At least one error has one of these codes."""
    path: re.Pattern[str] | None = None
    """At least one error is about such a property."""
    is_json: bool | None = None


_OURS_BY_SET_UP = re.compile(
    r"(?:^|\.)(?:externalId|handlingMode|paymentOption|account|cust(?:body|col)_\w+)$"
)
"""Properties whose name or value comes from the set-up: wrong for one refund, wrong for all."""

RULES: tuple[Rule, ...] = (
    Rule("created", Meaning.POSTED, statuses={204}),
    Rule("concurrency limit", Meaning.BUSY, statuses={429}),
    Rule(
        "concurrency limit by its code",
        Meaning.BUSY,
        codes=frozenset({"CONCURRENCY_LIMIT_EXCEEDED", "SSS_REQUEST_LIMIT_EXCEEDED"}),
    ),
    Rule("answered by another data centre", Meaning.SYSTEMIC, statuses=range(300, 400)),
    Rule("credentials refused", Meaning.SYSTEMIC, statuses={401}),
    Rule("permission missing", Meaning.SYSTEMIC, statuses={403}),
    Rule("wrong path, method or content type", Meaning.SYSTEMIC, statuses={404, 405, 415}),
    Rule(
        "malformed request",
        Meaning.SYSTEMIC,
        statuses={400},
        codes=frozenset({"INVALID_REQUEST", "INVALID_PARAMETER"}),
    ),
    Rule(
        "a property the set-up decides",
        Meaning.SYSTEMIC,
        statuses={400},
        codes=frozenset({"INVALID_CONTENT"}),
        path=_OURS_BY_SET_UP,
    ),
    Rule(
        "changed meanwhile",
        Meaning.UNCERTAIN,
        codes=frozenset({"RCRD_HAS_BEEN_CHANGED", "RCRD_EDITED_SINCE_RETRIEVED"}),
    ),
    Rule("refused, or already there", Meaning.REFUSED, statuses=range(400, 500), is_json=True),
    Rule("no answer to be understood", Meaning.UNCERTAIN),
)


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """One error of an answer; code and path only in the form they should have."""

    code: str
    path: str
    text: str = field(repr=False)


def outcome(answer: Answer) -> PostOutcome:
    """Return what became of the write.

    Raises:
        Misconfigured: the same would happen to every refund; nothing was created.
    """
    rule = rule_for(answer)
    match rule.meaning:
        case Meaning.POSTED:
            found = _LOCATION.search(answer.headers.get("Location", ""))
            return Posted(found[1]) if found else Uncertain("NetSuite answered 204 without an id")
        case Meaning.BUSY:
            return Busy(retry_after(answer))
        case Meaning.REFUSED:
            return Refused(refusal(answer))
        case Meaning.SYSTEMIC:
            raise Misconfigured(
                f"NetSuite answered {answer.status} to creating a cash refund ({rule.what}): "
                f"{refusal(answer)}; refund-pipeline doctor checks role, features and mapping"
            )
        case Meaning.UNCERTAIN:
            return Uncertain(f"NetSuite answered {answer.status}")


def rule_for(answer: Answer) -> Rule:
    """Return the first rule that fits."""
    errors = error_details(answer)
    return next(rule for rule in RULES if _fits(rule, answer, errors))


def refusal(answer: Answer) -> str:
    """Say why in codes, paths and texts known to hold no data of ours."""
    parts = []
    for error in error_details(answer):
        texts = [match[0] for pattern in _SAFE_TEXTS if (match := pattern.search(error.text))]
        place = [f"at {error.path}"] if error.path else []
        parts.append(" ".join([error.code, *place, *texts]))
    return "; ".join(parts) or f"NetSuite answered {answer.status} without a reason"


def error_details(answer: Answer) -> list[ErrorDetail]:
    """Read `o:errorDetails`, whatever its shape (contract netsuite 5.1)."""
    document = answer.document if isinstance(answer.document, dict) else {}
    details = document.get("o:errorDetails")
    found = []
    for item in details if isinstance(details, list) else []:
        if isinstance(item, dict):
            code, path = str(item.get("o:errorCode", "")), str(item.get("o:errorPath", ""))
            found.append(
                ErrorDetail(
                    code if _CODE.fullmatch(code) else "no code",
                    path if _PATH.fullmatch(path) else "",
                    str(item.get("detail", "")),
                )
            )
    return found


def _fits(rule: Rule, answer: Answer, errors: list[ErrorDetail]) -> bool:
    path = rule.path
    return (
        answer.status in rule.statuses
        and (rule.is_json is None or rule.is_json is answer.is_json)
        and (not rule.codes or any(error.code in rule.codes for error in errors))
        and (path is None or any(path.search(error.path) for error in errors))
    )
