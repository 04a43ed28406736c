"""NewStore's token endpoint (contract 3.1) and the bearer check of its APIs.

Client credentials by form or HTTP Basic, never by query. No authorization is 401; a bad or expired
token is 403.
"""

import base64
import binascii
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class TokenService:
    """Issues and checks access tokens of one API client."""

    def __init__(self, *, clock: Callable[[], datetime], ttl: int) -> None:
        self.client_id = f"sandbox-{secrets.token_hex(8)}"
        self.client_secret = secrets.token_urlsafe(32)
        self._clock = clock
        self._ttl = timedelta(seconds=ttl)
        self._issued: dict[str, datetime] = {}  # token -> when it dies

    def expire_all(self) -> None:
        """Make every token issued so far worthless."""
        self._issued = {}

    async def issue(self, request: Request) -> Response:
        """Answer a token request."""
        if request.method != "POST":
            return _refusal(405, "invalid_request", "POST is the only method")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            return _refusal(400, "invalid_request", "Missing form parameter: grant_type")
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        if form.get("grant_type") != "client_credentials":
            return _refusal(400, "unsupported_grant_type", "Unsupported grant_type")
        if _client(request, form) != (self.client_id, self.client_secret):
            return _refusal(401, "invalid_client", "Invalid client or Invalid client credentials")
        token = secrets.token_urlsafe(32)
        self._issued[token] = self._clock() + self._ttl
        return JSONResponse(
            {
                "access_token": token,
                "expires_in": int(self._ttl.total_seconds()),
                "refresh_expires_in": 0,
                "token_type": "Bearer",
                "not-before-policy": 0,
                "scope": "",
            },
            headers={"Cache-Control": "no-store"},
        )

    def refusal(self, request: Request) -> Response | None:
        """Return why a request may not go on, or None."""
        authorization = request.headers.get("authorization")
        if not authorization:
            return JSONResponse({"message": "Unauthorized"}, status_code=401)
        scheme, _, token = authorization.partition(" ")
        dies = self._issued.get(token) if scheme.lower() == "bearer" else None
        if dies is None or dies <= self._clock():
            return JSONResponse({"message": "The access token is invalid"}, status_code=403)
        return None


def _client(request: Request, form: dict[str, str]) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    name, _, secret = decoded.partition(":")
    return (unquote_plus(name), unquote_plus(secret)) if scheme.lower() == "basic" else ("", "")


def _refusal(status: int, error: str, description: str) -> JSONResponse:
    return JSONResponse({"error": error, "error_description": description}, status_code=status)
