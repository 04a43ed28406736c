"""Tells whether a body is a well-formed event, and which line of a landed file it makes.

Only the envelope is looked at (contract newstore 2.1). What a refund in it is worth, and whether
the tenant is ours, is the pipeline's business (`domain/events.py`), which shows what it rejects.
"""

import json
from dataclasses import dataclass
from typing import cast

_LINE_ENDS_TO_SPACES = bytes.maketrans(b"\r\n", b"  ")
_JSON_SPACES = b" \t"
_TEXTS = ("tenant", "name", "published_at")


@dataclass(frozen=True, slots=True)
class Envelope:
    """A well-formed event of any kind."""

    name: str
    line: bytes
    """The body as it was sent, but for line ends and the space around it."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """No event; `problem` is a sentence that names every field that is wrong, and no value."""

    problem: str


def read_envelope(body: bytes) -> Envelope | Malformed:
    """Read one event.

    A line of a file holds one event, so CR and LF become spaces: valid JSON has them only between
    its tokens.
    """
    try:
        document = _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        return Malformed(f"the body is not UTF-8 at byte {error.start}")
    except json.JSONDecodeError as error:
        problem = error.msg.removesuffix(" at")
        return Malformed(f"the body is not JSON ({problem} at character {error.pos})")
    except (ValueError, RecursionError):
        return Malformed("the body is not JSON that can be read")
    if not isinstance(document, dict):
        return Malformed("the body is not a JSON object")
    envelope = cast("dict[str, object]", document)
    problems = [
        f"{field} is {'not ' + wanted if field in envelope else 'missing'}"
        for field, kind, wanted in _FIELDS
        if not isinstance(envelope.get(field), kind)
    ]
    if problems:
        return Malformed("; ".join(problems))
    line = body.translate(_LINE_ENDS_TO_SPACES).strip(_JSON_SPACES)
    return Envelope(cast("str", envelope["name"]), line)


_FIELDS = (*((name, str, "a text") for name in _TEXTS), ("payload", dict, "an object"))


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_int=float, parse_constant=_refuse_constant)
"""Reads whole numbers as floats: one of 5,000 digits is valid JSON, and no number is looked at."""
