"""Which way to authenticate the settings ask for; what is missing is named, all of it at once.

The settings come from NETSUITE_ variables; only `orchestration/resources.py` reads those.
"""

from dataclasses import dataclass, field
from pathlib import Path

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.gateways.netsuite_auth import Authenticator, services_url
from refund_pipeline.gateways.netsuite_circuit import Circuit, refusals_file
from refund_pipeline.gateways.netsuite_oauth2 import OAuth2ClientCredentials
from refund_pipeline.gateways.netsuite_tba import TokenBasedAuthentication, TokenCredentials

OAUTH2 = "oauth2"
TBA = "tba"
_NEEDED = {
    OAUTH2: ("client_id", "certificate_id"),
    TBA: ("consumer_key", "consumer_secret", "token_id", "token_secret"),
}


@dataclass(frozen=True, slots=True)
class LoginSettings:
    """The variables of both ways to authenticate, by their names without NETSUITE_."""

    account: str
    base_url: str = ""
    auth: str = OAUTH2
    client_id: str = ""
    certificate_id: str = ""
    private_key: str = field(default="", repr=False)
    private_key_file: str = ""
    consumer_key: str = ""
    consumer_secret: str = field(default="", repr=False)
    token_id: str = ""
    token_secret: str = field(default="", repr=False)


def authenticator_of(settings: LoginSettings, *, state: Path | None) -> Authenticator:
    """Return what signs requests; `state` is the directory where this host counts refusals.

    Raises:
        Misconfigured: the way is not known, a variable is missing, or the key cannot be read.
    """
    if settings.auth not in _NEEDED:
        raise Misconfigured(f"NETSUITE_AUTH is {settings.auth!r:.40}; it must be oauth2 or tba")
    given = {name: getattr(settings, name).strip() for name in _NEEDED[settings.auth]}
    missing = [f"NETSUITE_{name.upper()}" for name, value in given.items() if not value]
    if settings.auth == OAUTH2 and not (settings.private_key or settings.private_key_file):
        missing.append("NETSUITE_PRIVATE_KEY or NETSUITE_PRIVATE_KEY_FILE")
    if missing:
        raise Misconfigured(f"NETSUITE_AUTH is {settings.auth}: set {', '.join(missing)} too")
    base_url = settings.base_url or None
    url = services_url(settings.account, base_url)
    if settings.auth == TBA:
        credentials = TokenCredentials(**given)
        public = (url, credentials.consumer_key, credentials.token_id)
        return TokenBasedAuthentication(
            credentials, account=settings.account, circuit=_circuit(state, *public)
        )
    return OAuth2ClientCredentials(
        account=settings.account,
        base_url=base_url,
        private_key_pem=_private_key(settings),
        circuit=_circuit(state, url, given["client_id"], given["certificate_id"]),
        **given,
    )


def _circuit(state: Path | None, *public_parts: str) -> Circuit:
    return Circuit(refusals_file(state, *public_parts) if state else None)


def _private_key(settings: LoginSettings) -> str:
    if settings.private_key:
        return settings.private_key.replace("\\n", "\n")
    try:
        return Path(settings.private_key_file).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"NETSUITE_PRIVATE_KEY_FILE cannot be read: {type(error).__name__}"
        ) from None
