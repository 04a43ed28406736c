"""JSON text with exact numbers: a `Decimal` is written as the number it is, never through a float.

Amounts are spelled as NewStore spells them, with at least one decimal (`5.0`, contract 2.2).
Floats are refused.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

JsonValue: TypeAlias = (
    bool | int | str | Decimal | Sequence["JsonValue"] | Mapping[str, "JsonValue"] | None
)


def json_text(value: JsonValue) -> str:
    """Write `value` as compact JSON on one line.

    Raises:
        TypeError: something in it is not JSON here, a float for instance.
    """
    if isinstance(value, Decimal):
        return number_text(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(k)}:{json_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(json_text(item) for item in value) + "]"
    if value is None or isinstance(value, (bool, int, str)):
        return json.dumps(value)
    raise TypeError(f"{type(value).__name__} is not written as JSON here")


def number_text(amount: Decimal) -> str:
    """Spell an amount as a JSON number with a decimal: 12.50 as `12.5`, 1200 as `1200.0`."""
    if not amount.is_finite():
        raise TypeError(f"{amount} is no JSON number")
    whole, _, decimals = f"{amount:f}".partition(".")
    return f"{whole}.{decimals.rstrip('0') or '0'}"
