"""Which way the settings ask for; what is missing is named, and the host counts refusals."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.gateways.netsuite_login import LoginSettings, authenticator_of
from refund_pipeline.gateways.netsuite_oauth2 import OAuth2ClientCredentials
from refund_pipeline.gateways.netsuite_tba import TokenBasedAuthentication

TBA = {
    "auth": "tba",
    "consumer_key": "ck",
    "consumer_secret": "cs",
    "token_id": "ti",
    "token_secret": "ts",
}
OAUTH2 = {"client_id": "client", "certificate_id": "certificate"}
KEY = (
    ec.generate_private_key(ec.SECP256R1())
    .private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    .decode()
)


def settings(**values: str) -> LoginSettings:
    return LoginSettings(account="1234567_SB1", **values)


def test_oauth2_is_the_default():
    own = authenticator_of(settings(**OAUTH2, private_key=KEY), state=None)

    assert isinstance(own, OAuth2ClientCredentials)
    assert own._assertion(1_800_000_000)


def test_a_key_in_one_line_is_taken_too():
    key = KEY.replace("\n", "\\n")
    own = authenticator_of(settings(**OAUTH2, private_key=key), state=None)

    assert isinstance(own, OAuth2ClientCredentials)
    assert own._assertion(1_800_000_000)


def test_a_key_comes_from_a_file(tmp_path):
    file = tmp_path / "key.pem"
    file.write_text(KEY)
    own = authenticator_of(settings(**OAUTH2, private_key_file=str(file)), state=None)

    assert isinstance(own, OAuth2ClientCredentials)
    assert own._assertion(1_800_000_000)


def test_a_key_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(Misconfigured, match=r"NETSUITE_PRIVATE_KEY_FILE .*FileNotFoundError"):
        authenticator_of(settings(**OAUTH2, private_key_file=str(tmp_path / "no")), state=None)


def test_tba_is_the_other_way():
    assert isinstance(authenticator_of(settings(**TBA), state=None), TokenBasedAuthentication)


def test_the_end_of_line_a_secret_was_stored_with_is_no_part_of_it():
    stored = {name: value if name == "auth" else f"{value}\n" for name, value in TBA.items()}
    own = authenticator_of(settings(**stored), state=None)

    assert isinstance(own, TokenBasedAuthentication)
    assert own._credentials.token_secret == "ts"
    assert own._credentials.consumer_key == "ck"


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "NETSUITE_CLIENT_ID, NETSUITE_CERTIFICATE_ID, NETSUITE_PRIVATE_KEY or NETSUITE_P"),
        ({"client_id": "c", "private_key": KEY}, "set NETSUITE_CERTIFICATE_ID too"),
        ({"certificate_id": "c", "private_key": KEY}, "set NETSUITE_CLIENT_ID too"),
        (OAUTH2, "set NETSUITE_PRIVATE_KEY or NETSUITE_PRIVATE_KEY_FILE too"),
        ({"auth": "tba", **OAUTH2}, "NETSUITE_CONSUMER_KEY, NETSUITE_CONSUMER_SECRET, NETSUITE_T"),
        ({**TBA, "token_secret": "  "}, "NETSUITE_AUTH is tba: set NETSUITE_TOKEN_SECRET too"),
    ],
)
def test_what_is_missing_is_named(given, missing):
    with pytest.raises(Misconfigured, match=missing):
        authenticator_of(settings(**given), state=None)


@pytest.mark.parametrize("auth", ["", "OAuth2", "nlauth"])
def test_a_way_that_does_not_exist_is_refused(auth):
    with pytest.raises(Misconfigured, match="it must be oauth2 or tba"):
        authenticator_of(settings(**{**TBA, "auth": auth}), state=None)


def test_a_setting_is_not_shown_with_its_secrets():
    shown = repr(settings(**TBA, private_key=KEY))

    assert "'cs'" not in shown
    assert "'ts'" not in shown
    assert "PRIVATE" not in shown


def files_after_a_refusal(directory: Path, **values: str) -> set[Path]:
    authenticator_of(settings(**values), state=directory).circuit.refused()
    return set(directory.iterdir())


def test_refusals_are_counted_in_the_state_directory_by_key_ids(tmp_path):
    first = files_after_a_refusal(tmp_path, **TBA)
    assert len(first) == 1
    assert files_after_a_refusal(tmp_path, **{**TBA, "token_secret": "other"}) == first
    assert len(files_after_a_refusal(tmp_path, **{**TBA, "token_id": "other"})) == 2
    assert len(files_after_a_refusal(tmp_path, **OAUTH2, private_key=KEY)) == 3
    other = {**OAUTH2, "certificate_id": "other"}
    assert len(files_after_a_refusal(tmp_path, **other, private_key=KEY)) == 4


def test_either_spelling_of_an_account_is_the_same_account(tmp_path):
    for account in ("1234567_SB1", "1234567-sb1"):
        own = authenticator_of(LoginSettings(account=account, **TBA), state=tmp_path)
        own.circuit.refused()

    assert len(list(tmp_path.iterdir())) == 1
