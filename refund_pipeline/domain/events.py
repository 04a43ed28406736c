"""Lines of a landed file: a refund event, another event, or a rejection with every problem.

Envelope and payload per contract newstore 2.1 and 2.2. Unknown fields are ignored; notes, names and
e-mails are dropped.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import TypeAlias, cast

from refund_pipeline.domain.errors import InvalidAmount
from refund_pipeline.domain.money import exact_amount

REFUND_ISSUED = "refund_request.issued"
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_BARE_UUID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_YEARS = range(1970, 9999)
"""Every date of these years exists in every time zone."""
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""What JSON can escape and no database holds as text: NUL and halves of surrogate pairs."""
_LONGEST_CODE = 20
_MISSING = object()


@dataclass(frozen=True, slots=True)
class RefundEvent:
    """One `refund_request.issued`. Times are aware UTC; `amount` > 0 at the scale of `currency`."""

    refund_id: str
    tenant: str
    order_id: str
    payment_account_id: str
    amount: Decimal
    currency: str
    requested_at: datetime
    published_at: datetime
    reason_code: str | None
    reason: str | None
    return_id: str | None
    is_historical: bool

    @property
    def content_hash(self) -> str:
        """Equal for equal refunds, whenever they are published."""
        content = [
            self.order_id,
            self.payment_account_id,
            str(self.amount),
            self.currency,
            self.requested_at.isoformat(),
            self.reason_code,
            self.reason,
            self.return_id,
            self.is_historical,
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class OtherEvent:
    """An event of another kind: counted, not kept."""

    name: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that is no event; `problems` are sentences with JSON paths and no values."""

    problems: tuple[str, ...]


ParsedLine: TypeAlias = RefundEvent | OtherEvent | Rejected


def canonical_id(value: str) -> str:
    """Write a refund id, or a correlation id to compare with it, in its one spelling."""
    text = value.lower()
    return str(uuid.UUID(text)) if _BARE_UUID.fullmatch(text) else text


def parse_line(line: bytes, *, tenant: str) -> ParsedLine:
    """Parse one non-blank line of a landed file that belongs to `tenant`."""
    try:
        envelope = _DECODER.decode(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return Rejected((f"$: is not UTF-8 at byte {error.start}",))
    except json.JSONDecodeError as error:
        return Rejected((f"$: is not JSON ({error.msg} at character {error.pos})",))
    except (ValueError, ArithmeticError, RecursionError):  # a number beyond what Decimal can hold
        return Rejected(("$: is not JSON that can be read",))
    if not isinstance(envelope, dict):
        return Rejected(("$: is not a JSON object",))
    return _parse_envelope(cast("dict[str, object]", envelope), tenant=tenant)


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)
"""Made once: making one costs as much as reading a line."""


def _parse_envelope(envelope: Mapping[str, object], *, tenant: str) -> ParsedLine:
    fields = _Fields(envelope, path="$")
    event_tenant = fields.text("tenant")
    name = fields.text("name")
    published_at = fields.time("published_at")
    payload = envelope.get("payload", _MISSING)
    if not isinstance(payload, dict):
        fields.problem("payload", "is missing" if payload is _MISSING else "is not an object")
    if event_tenant is not None and event_tenant.lower() != tenant.strip().lower():
        fields.problem("tenant", "is not the tenant of this deployment")
    if fields.problems:
        return Rejected(tuple(fields.problems))
    if name != REFUND_ISSUED:
        return OtherEvent(cast("str", name)[:100])
    return _parse_refund(
        cast("dict[str, object]", payload),
        tenant=cast("str", event_tenant).lower(),
        published_at=cast("datetime", published_at),
    )


def _parse_refund(
    payload: Mapping[str, object], *, tenant: str, published_at: datetime
) -> ParsedLine:
    fields = _Fields(payload, path="$.payload")
    refund_id = canonical_id(fields.identifier("id") or "")
    order_id = fields.identifier("order_id")
    account_id = fields.identifier("payment_account_id")
    currency = fields.text("currency")
    amount = fields.amount("amount", currency)
    requested_at = fields.time("requested_at", required=False) or published_at
    reason_code = fields.code("reason_code")
    reason = fields.text("return_reason", required=False)
    return_id = fields.identifier("return_id", required=False)
    is_historical = fields.flag("is_historical")
    if order_id is None or account_id is None or fields.problems:
        return Rejected(tuple(fields.problems))
    return RefundEvent(
        refund_id=refund_id,
        tenant=tenant,
        order_id=order_id,
        payment_account_id=account_id,
        amount=cast("Decimal", amount),
        currency=cast("str", currency),
        requested_at=requested_at,
        published_at=published_at,
        reason_code=reason_code,
        reason=reason[:200] if reason else None,
        return_id=return_id,
        is_historical=is_historical,
    )


class _Fields:
    """Reads the fields of one object and collects every problem with its path."""

    def __init__(self, values: Mapping[str, object], *, path: str) -> None:
        self._values = values
        self._path = path
        self.problems: list[str] = []

    def problem(self, name: str, what: str) -> None:
        self.problems.append(f"{self._path}.{name}: {what}")

    def _value(self, name: str, *, required: bool) -> object | None:
        value = self._values.get(name)
        if value is None and required:
            self.problem(name, "is missing" if name not in self._values else "is null")
        return value

    def text(self, name: str, *, required: bool = True) -> str | None:
        value = self._value(name, required=required)
        if value is None:
            return None
        if not isinstance(value, str) or _UNSTORABLE.search(value):
            self.problem(name, "is not text")
            return None
        if required and not value.strip():
            self.problem(name, "is empty")
            return None
        return value.strip()

    def identifier(self, name: str, *, required: bool = True) -> str | None:
        value = self.text(name, required=required)
        if not value:
            return None
        if _IDENTIFIER.fullmatch(value):
            return value
        self.problem(name, "is not an identifier (letters, digits, - and _, at most 64)")
        return None

    def time(self, name: str, *, required: bool = True) -> datetime | None:
        value = self.text(name, required=required)
        if not value:
            return None
        try:
            time = datetime.fromisoformat(_ISO_FRACTION.sub(_six_digits, value))
        except ValueError:
            self.problem(name, "is not an RFC 3339 time")
            return None
        if time.tzinfo is None:
            self.problem(name, "has no time zone")
            return None
        if time.year not in _YEARS:
            self.problem(name, "is out of range")
            return None
        return time.astimezone(timezone.utc)

    def amount(self, name: str, currency: str | None) -> Decimal | None:
        value = self._value(name, required=True)
        if value is None or currency is None:
            return None
        try:
            amount = exact_amount(value, currency)
        except InvalidAmount as error:
            about_currency = "ISO 4217" in str(error)
            self.problem("currency" if about_currency else name, str(error))
            return None
        if amount <= 0:
            self.problem(name, "is not positive")
            return None
        return amount

    def code(self, name: str) -> str | None:
        value = self._value(name, required=False)
        if value is None:
            return None
        is_code = isinstance(value, (int, str)) and not isinstance(value, bool)
        if not is_code or len(str(value)) > _LONGEST_CODE or _UNSTORABLE.search(str(value)):
            self.problem(name, "is not a code")
            return None
        return str(value).strip() or None

    def flag(self, name: str) -> bool:
        value = self._value(name, required=False)
        if value is not None and not isinstance(value, bool):
            self.problem(name, "is not true or false")
        return value is True


_ISO_FRACTION = re.compile(r"(?:\.(\d+))?(?:[zZ]|(?=[+-]\d\d:\d\d$))", re.ASCII)


def _six_digits(match: re.Match[str]) -> str:
    """Write the fraction with six digits and Z as an offset, which Python 3.10 can read."""
    fraction = f".{(match[1] + '000000')[:6]}" if match[1] else ""
    return fraction + ("+00:00" if match[0][-1:] in {"z", "Z"} else "")
