"""Our ways to authenticate, set up for a sandbox."""

from typing import Any

from refund_pipeline.gateways.http import Http, RetryPolicy
from refund_pipeline.gateways.netsuite_auth import Authenticator
from refund_pipeline.gateways.netsuite_oauth2 import OAuth2ClientCredentials
from refund_pipeline.gateways.netsuite_tba import TokenBasedAuthentication, TokenCredentials
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox

AT_ONCE = RetryPolicy(attempts=3, first_pause=0.0, longest_pause=0.0)
BOTH = ("oauth2", "tba")


def login(sandbox: NetSuiteSandbox, auth: str, **changes: Any) -> Authenticator:
    """Return what signs requests to the sandbox by `auth`."""
    if auth == "tba":
        names = ("consumer_key", "token_id", "consumer_secret", "token_secret")
        keys = {name: changes.pop(name, getattr(sandbox, name)) for name in names}
        values = {"account": sandbox.account, **changes}
        return TokenBasedAuthentication(TokenCredentials(**keys), **values)
    values = {
        "account": sandbox.account,
        "base_url": sandbox.base_url,
        "client_id": sandbox.client_id,
        "certificate_id": sandbox.certificate_id,
        "private_key_pem": sandbox.private_key_pem,
        "http": Http("NetSuite", policy=AT_ONCE),
        **changes,
    }
    return OAuth2ClientCredentials(**values)
