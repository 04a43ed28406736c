"""The statuses a refund can have, and how finance adds them up.

What decides a refund's status is the ledger's view `refund_status`; what each means, `advice.py`.
"""

OUTSTANDING = frozenset({"landed", "awaiting_payment", "awaiting_origin", "ready", "uncertain"})
"""Statuses of refunds that are tried again by themselves."""
SETTLED = frozenset({"posted", "skipped"})
"""Statuses nothing more happens to."""
STATUSES = OUTSTANDING | SETTLED | {"held"}

STANDINGS = ("posted", "outstanding", "held", "skipped")
"""Where a refund stands for finance; they sum to what landed."""


def standing_of(status: str) -> str:
    """Return where finance sees a refund of this status: one of `STANDINGS`."""
    return "outstanding" if status in OUTSTANDING else status
