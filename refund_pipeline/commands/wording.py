"""How amounts and moments are written at the shell: for people, and in JSON.

In JSON an amount is a string with all its decimals beside its currency, a moment is RFC 3339 in
UTC, and a key that has nothing to say is there with null.
"""

from collections.abc import Mapping
from datetime import datetime, timezone
from decimal import Decimal

from refund_pipeline.domain.money import in_full


def amount_text(amount: Decimal, currency: str) -> str:
    """Write `1,234.50 USD`."""
    return f"{number_text(amount, currency)} {currency}"


def number_text(amount: Decimal, currency: str) -> str:
    """Write `1,234.50`."""
    return f"{in_full(amount, currency):,f}"


def amounts_text(amounts: Mapping[str, Decimal]) -> str:
    """Write sums by currency."""
    return ", ".join(amount_text(amount, currency) for currency, amount in amounts.items())


def amount_json(amount: Decimal, currency: str) -> dict[str, str]:
    """Return `{"amount": "1234.50", "currency": "USD"}`."""
    return {"amount": f"{in_full(amount, currency):f}", "currency": currency}


def moment_json(moment: datetime | None) -> str | None:
    """Return `2026-11-20T09:00:00Z`."""
    if moment is None:
        return None
    return moment.astimezone(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


def plain(text: str) -> str:
    """Return text of other systems without what could steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
