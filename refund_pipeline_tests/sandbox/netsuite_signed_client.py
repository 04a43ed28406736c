"""A hand-signed NetSuite client for token-based authentication: stdlib and requests, nothing else.

Right by default, so that a test shows one wrong thing at a time.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import requests

from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox

PATH = "record/v1/cashRefund"


def encode(text: str) -> str:
    return quote(text, safe="-._~")


def sign(
    method: str, url: str, parameters: Mapping[str, str], secrets_: tuple[str, str], digest: Any
) -> str:
    """Return the signature of RFC 5849, 3.4, over all parameters but the realm."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    pairs += [(name, value) for name, value in parameters.items() if name != "realm"]
    normal = "&".join(sorted(f"{encode(name)}={encode(value)}" for name, value in pairs))
    text = "&".join(map(encode, (method, f"{parts.scheme}://{parts.netloc}{parts.path}", normal)))
    key = "&".join(map(encode, secrets_))
    return base64.b64encode(hmac.new(key.encode(), text.encode(), digest).digest()).decode()


class SignedClient:
    """Talks to one sandbox; every request is signed anew with the sandbox's clock."""

    def __init__(self, sandbox: NetSuiteSandbox) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.base = f"{sandbox.base_url}/services/rest/"

    def __enter__(self) -> "SignedClient":  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def parameters(self) -> dict[str, str]:
        """Return the parameters of a right header, all but the signature."""
        return {
            "realm": self.sandbox.account,
            "oauth_consumer_key": self.sandbox.consumer_key,
            "oauth_token": self.sandbox.token_id,
            "oauth_nonce": secrets.token_hex(10),
            "oauth_timestamp": str(int(self.sandbox.logins._clock().timestamp())),
            "oauth_signature_method": "HMAC-SHA256",
            "oauth_version": "1.0",
        }

    def header(
        self,
        method: str = "GET",
        path: str = PATH,
        *,
        signed_url: str = "",
        secrets_: tuple[str, str] | None = None,
        digest: Any = hashlib.sha256,
        **changes: str | None,
    ) -> str:
        """Return a header whose parameters were changed before they were signed; None: left out."""
        changed = {**self.parameters(), **changes}
        given = {name: value for name, value in changed.items() if value is not None}
        both = secrets_ or (self.sandbox.consumer_secret, self.sandbox.token_secret)
        signature = sign(method, signed_url or self.base + path, given, both, digest)
        return header_of({**given, "oauth_signature": signature})

    def request(
        self, method: str = "GET", path: str = PATH, *, header: str = "", **options: Any
    ) -> requests.Response:
        headers = {
            "Authorization": header or self.header(method, path),
            **options.pop("headers", {}),
        }
        return self.session.request(
            method, self.base + path, headers=headers, timeout=10, **options
        )


def header_of(parameters: Mapping[str, str]) -> str:
    """Return the Authorization header, every value encoded."""
    return "OAuth " + ", ".join(f'{name}="{encode(value)}"' for name, value in parameters.items())
