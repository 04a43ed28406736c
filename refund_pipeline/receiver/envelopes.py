"""Tells whether a webhook's body is a well-formed event, and what its line is (newstore 2.1).

Only the envelope is looked at: whether a refund in it can be used is the pipeline's business, which
shows what it refuses. The line is the body as it was sent.
"""

import json
from dataclasses import dataclass

_LINE_BREAKS = bytes.maketrans(b"\r\n", b"  ")
_TEXTS = ("tenant", "name", "published_at")


@dataclass(frozen=True, slots=True)
class Envelope:
    """A well-formed event; `line` holds its bytes without line breaks."""

    name: str
    line: bytes


@dataclass(frozen=True, slots=True)
class Malformed:
    """No event; `problem` names the field and no value."""

    problem: str


def read_envelope(body: bytes) -> Envelope | Malformed:
    """Read one event.

    Line breaks become blanks: valid JSON has them between tokens only.
    """
    try:
        document = json.loads(
            body.decode("utf-8"), parse_int=str, parse_float=str, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError):
        return Malformed("the body is not JSON in UTF-8")
    if not isinstance(document, dict):
        return Malformed("the body is not a JSON object")
    for name in _TEXTS:
        value = document.get(name)
        if not isinstance(value, str) or not value.strip():
            return Malformed(f"{name} is not a text")
    if not isinstance(document.get("payload"), dict):
        return Malformed("payload is not an object")
    return Envelope(document["name"], body.translate(_LINE_BREAKS).strip(b" \t"))


def _refuse_constant(name: str) -> object:
    raise ValueError(name)
