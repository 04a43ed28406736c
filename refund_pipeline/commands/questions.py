"""What `refund-pipeline init` asks for; each group is checked once it is answered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

Answers: TypeAlias = Mapping[str, str]
Check: TypeAlias = Literal["ledger", "landing bucket", "NewStore", "mapping", "NetSuite"]


def _nothing(_: Answers) -> str:
    return ""


def _always(_: Answers) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Question:
    """One variable, and how it is asked for."""

    name: str
    text: str
    default: Callable[[Answers], str] = _nothing
    is_secret: bool = False
    is_optional: bool = False
    applies: Callable[[Answers], bool] = _always
    one_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Questions that are checked together."""

    title: str
    questions: Sequence[Question]
    check: Check


def groups(today: date, mapping_file: str) -> tuple[Group, ...]:
    """Return what is asked; `mapping_file` is where a new mapping would be written."""
    return (
        Group("The pipeline", _pipeline(today), "ledger"),
        Group("The landing bucket", _BUCKET, "landing bucket"),
        Group("NewStore", _NEWSTORE, "NewStore"),
        Group(
            "The mapping",
            (
                Question(
                    "REFUNDS_MAPPING",
                    "Mapping file: a path, or s3://bucket/key",
                    lambda _: mapping_file,
                ),
            ),
            "mapping",
        ),
        Group("NetSuite", _NETSUITE, "NetSuite"),
    )


def _pipeline(today: date) -> tuple[Question, ...]:
    return (
        Question("REFUNDS_TENANT", "NewStore tenant, like acme"),
        Question(
            "REFUNDS_START_DATE",
            "First landing day that is ours; nothing before it is posted",
            lambda _: today.isoformat(),
        ),
        Question(
            "REFUNDS_LEDGER_URL",
            "Database of the ledger, like postgresql://...; empty: a file in DAGSTER_HOME",
            is_secret=True,
            is_optional=True,
        ),
    )


_BUCKET = (
    Question("REFUNDS_LANDING_URL", "Where NewStore's export lands, s3://bucket/prefix"),
    Question(
        "AWS_ACCESS_KEY_ID",
        "AWS access key; empty: the role or profile of this machine",
        is_optional=True,
    ),
    Question(
        "AWS_SECRET_ACCESS_KEY",
        "AWS secret key",
        is_secret=True,
        applies=lambda known: bool(known.get("AWS_ACCESS_KEY_ID")),
    ),
    Question("AWS_DEFAULT_REGION", "AWS region, like eu-central-1", is_optional=True),
)

_NEWSTORE = (
    Question(
        "NEWSTORE_BASE_URL",
        "Address of NewStore's APIs",
        lambda known: f"https://{known['REFUNDS_TENANT']}.p.newstore.net",
    ),
    Question(
        "NEWSTORE_TOKEN_URL",
        "Address of NewStore's tokens",
        lambda known: (
            f"https://id.p.newstore.net/auth/realms/{known['REFUNDS_TENANT']}"
            "/protocol/openid-connect/token"
        ),
    ),
    Question("NEWSTORE_CLIENT_ID", "Client id of the API client"),
    Question("NEWSTORE_CLIENT_SECRET", "Client secret of the API client", is_secret=True),
    Question(
        "NEWSTORE_INTEGRATION_ID",
        "Id of our event stream integration, of your choosing; empty: it is not watched",
        is_optional=True,
    ),
)


def _is(way: str) -> Callable[[Answers], bool]:
    return lambda known: known["NETSUITE_AUTH"] == way


_NETSUITE = (
    Question("NETSUITE_ACCOUNT", "NetSuite account, like 1234567 or 1234567_SB1"),
    Question(
        "NETSUITE_AUTH",
        "How to log in: oauth2 (certificate) or tba (token)",
        lambda _: "oauth2",
        one_of=("oauth2", "tba"),
    ),
    Question("NETSUITE_CLIENT_ID", "Client id of the integration", applies=_is("oauth2")),
    Question("NETSUITE_CERTIFICATE_ID", "Id of its certificate", applies=_is("oauth2")),
    Question(
        "NETSUITE_PRIVATE_KEY_FILE",
        "File with the certificate's private key (PEM)",
        applies=lambda known: (
            known["NETSUITE_AUTH"] == "oauth2" and not known.get("NETSUITE_PRIVATE_KEY")
        ),
    ),
    Question("NETSUITE_CONSUMER_KEY", "Consumer key", applies=_is("tba")),
    Question("NETSUITE_CONSUMER_SECRET", "Consumer secret", is_secret=True, applies=_is("tba")),
    Question("NETSUITE_TOKEN_ID", "Token id", applies=_is("tba")),
    Question("NETSUITE_TOKEN_SECRET", "Token secret", is_secret=True, applies=_is("tba")),
)

TAKEN_OVER = (
    *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_PROFILE"),
    *("NEWSTORE_ATTRIBUTION", "NETSUITE_BASE_URL", "NETSUITE_PRIVATE_KEY", "NETSUITE_CONCURRENCY"),
    *("REFUNDS_REPORTS", "REFUNDS_LOG_FORMAT"),
)
"""What is not asked for, and kept where the environment or the file has it."""
