"""How GraphQL spells money (contract 3.2, 3.4): a `BigFloat` is text, in one of several spellings.

A numeric column has any number of decimals, never an exponent and no negative zero. That the
number may come as a JSON number instead of text is a doubt of the contract, hence a spelling too.
"""

from decimal import Decimal
from typing import Literal, TypeAlias

MoneySpelling: TypeAlias = Literal["as_kept", "shortest", "four_decimals", "mixed", "number"]
"""`5.00` as kept is `5`, `5.0000`, any of these by turns, or the JSON number 5.0."""

_FOUR = 4
_BY_TURNS: tuple[MoneySpelling, ...] = ("as_kept", "shortest", "four_decimals")


class MoneyWriter:
    """Spells the amounts of one request."""

    def __init__(self, spelling: MoneySpelling) -> None:
        self._spelling = spelling
        self._written = 0

    def write(self, amount: Decimal) -> str | Decimal:
        """Return an amount as it stands in the answer; a `Decimal` is a JSON number there."""
        amount = amount or abs(amount)
        spelling = self._spelling
        if spelling == "mixed":
            spelling = _BY_TURNS[self._written % len(_BY_TURNS)]
            self._written += 1
        match spelling:
            case "number":
                return amount
            case "shortest":
                return f"{amount.normalize():f}"
            case "four_decimals":
                return f"{amount:.{max(_FOUR, _decimals(amount))}f}"
            case _:
                return f"{amount:f}"


def _decimals(amount: Decimal) -> int:
    return len(f"{amount:f}".partition(".")[2])
