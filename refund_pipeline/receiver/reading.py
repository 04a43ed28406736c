"""Reads a webhook's request: its key, its media type, its body, in this order.

What fails is refused at once; nothing of a body is read without a valid key.
"""

import asyncio
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request

from refund_pipeline.receiver.allowance import Share
from refund_pipeline.receiver.batches import Outcome
from refund_pipeline.receiver.settings import Limits

_MEDIA_TYPE = "application/json"
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer other than 200: its status, and a sentence without values."""

    status: int
    sentence: str


def refused_by_headers(
    request: Request, *, keys: Sequence[bytes], limits: Limits
) -> Refusal | None:
    """Refuse what its headers condemn already."""
    refusal = refused_by_key(request, keys=keys)
    if refusal is not None:
        return refusal
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != _MEDIA_TYPE:
        return Refusal(415, f"the Content-Type is not {_MEDIA_TYPE}")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > _MOST_DIGITS or int(announced) > limits.body):
        return _too_large(limits)
    return None


def refused_by_key(request: Request, *, keys: Sequence[bytes]) -> Refusal | None:
    """Refuse a request without a valid key."""
    if _is_authorized(request.headers.raw, keys):
        return None
    return Refusal(401, "the Authorization header is not Bearer with a valid key")


async def read_body(request: Request, *, share: Share, limits: Limits) -> bytes | Refusal:
    """Read the body, no further than it may be large, and take its bytes from `share`."""
    try:
        return await asyncio.wait_for(_read(request, share, limits), limits.body_seconds)
    except asyncio.TimeoutError:
        return Refusal(500, f"the body did not arrive within {limits.body_seconds} seconds")
    except ClientDisconnect:
        return Refusal(400, "the body ended early")


async def _read(request: Request, share: Share, limits: Limits) -> bytes | Refusal:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limits.body:
            return _too_large(limits)
        if not share.take(len(chunk)):
            return Refusal(500, Outcome.TOO_MUCH_IN_HAND.value)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(limits: Limits) -> Refusal:
    return Refusal(413, f"the body is larger than {limits.body} bytes")


def _is_authorized(headers: Sequence[tuple[bytes, bytes]], keys: Sequence[bytes]) -> bool:
    """Compare with every key, always, each in constant time."""
    given = [value for name, value in headers if name.lower() == b"authorization"]
    scheme, _, token = (given[0] if len(given) == 1 else b"").partition(b" ")
    equal = [hmac.compare_digest(token.strip(), key) for key in keys]
    return scheme.lower() == b"bearer" and any(equal)
