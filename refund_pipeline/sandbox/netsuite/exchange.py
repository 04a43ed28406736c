"""One HTTP exchange: the request as services see it, the answer, and error bodies (contract 5.1).

No service logic here, and no sockets: the server turns ASGI into these shapes and back.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus

RESOURCE = "application/vnd.oracle.resource+json"
BODY_LIMIT = 104 * 1024 * 1024
_JSON_TYPES = ("application/json", RESOURCE)

JsonValue = None | bool | int | str | Decimal | list["JsonValue"] | dict[str, "JsonValue"]


@dataclass(frozen=True, slots=True)
class Request:
    """A request whose body has been read. Header names are lower case.

    `path` and `query` are decoded, `raw_path` is as it was sent.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    body: bytes
    raw_path: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. `committed` says that a record was changed, which is what faults aim at."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    committed: bool = False


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """One entry of `o:errorDetails`."""

    detail: str
    code: str
    path: str | None = None
    query_param: str | None = None
    header: str | None = None

    def as_json(self) -> dict[str, str]:
        """Return the entry as NetSuite spells it."""
        entry = {
            "detail": self.detail,
            "o:errorCode": self.code,
            "o:errorPath": self.path,
            "o:errorQueryParam": self.query_param,
            "o:errorHeader": self.header,
        }
        return {key: value for key, value in entry.items() if value is not None}


class Refusal(Exception):
    """Ends the handling of a request with an error answer; nothing has been changed."""

    def __init__(
        self,
        status: int,
        details: Sequence[ErrorDetail],
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(status, *details)
        self.status = status
        self.details = tuple(details)
        self.headers = headers

    def answer(self) -> Answer:
        """Return the refusal as an error body."""
        return error_answer(self.status, self.details, self.headers)


def refuse(
    status: int,
    code: str,
    detail: str,
    *,
    path: str | None = None,
    query_param: str | None = None,
    header: str | None = None,
) -> Refusal:
    """Return a refusal with one detail."""
    return Refusal(status, [ErrorDetail(detail, code, path, query_param, header)])


def user_error(text: str, *, path: str | None = None) -> Refusal:
    """Return the refusal nearly every business rule answers with."""
    return refuse(400, "USER_ERROR", f"Error while accessing a resource. {text}", path=path)


def not_allowed(request: Request, allowed: str) -> Refusal:
    """Return the 405 that lists the methods this address has."""
    detail = ErrorDetail(f"{request.method} is not supported here.", "METHOD_NOT_ALLOWED")
    return Refusal(405, [detail], (("Allow", allowed),))


def error_answer(
    status: int, details: Sequence[ErrorDetail], headers: tuple[tuple[str, str], ...] = ()
) -> Answer:
    """Return an error body of section 5.1."""
    section = f"15.{status // 100 + 1}.{status % 100 + 1}"
    body = {
        "type": f"https://www.rfc-editor.org/rfc/rfc9110.html#section-{section}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "o:errorDetails": [detail.as_json() for detail in details],
    }
    return json_answer(status, body, media_type=f"{RESOURCE}; type=error", headers=headers)


def json_answer(
    status: int,
    body: object,
    *,
    media_type: str,
    headers: tuple[tuple[str, str], ...] = (),
) -> Answer:
    """Return an answer with a JSON body; a Decimal becomes a JSON number, like any double."""
    text = json.dumps(body, default=_number, ensure_ascii=False)
    return Answer(status, text.encode(), (("Content-Type", media_type), *headers))


def _number(value: object) -> int | float:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is not JSON")
    return int(value) if value == value.to_integral_value() else float(value)


def read_json(request: Request) -> JsonValue:
    """Return the JSON body, numbers as `int` or `Decimal`.

    Raises:
        Refusal: 415 for another content type, 413 above the limit, 400 for text that is not JSON.
            A repeated key is refused too: which value NetSuite would take is not known.
    """
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type not in _JSON_TYPES:
        raise refuse(
            415,
            "INVALID_REQUEST",
            "The Content-Type of the request is not supported. Use application/json.",
            header="Content-Type",
        )
    if len(request.body) > BODY_LIMIT:
        raise refuse(413, "INVALID_REQUEST", "The request body is too large.")
    try:
        value: JsonValue = json.loads(
            request.body.decode("utf-8"),
            parse_float=Decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_unique_keys,
        )
    except (ValueError, RecursionError) as error:
        raise refuse(
            400,
            "INVALID_CONTENT",
            "Invalid content in the request body. The body is not valid JSON.",
        ) from error
    return value


def _no_constant(name: str) -> JsonValue:
    raise ValueError(f"{name} is not JSON")


def _unique_keys(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is repeated")
    return found


def read_query(request: Request, allowed: Collection[str]) -> dict[str, str]:
    """Return the query parameters; an unknown, repeated or valueless one is refused."""
    found: dict[str, str] = {}
    for name, value in request.query:
        if name not in allowed or name in found:
            raise refuse(
                400, "INVALID_PARAMETER", f"Invalid query parameter '{name}'.", query_param=name
            )
        found[name] = value
    return found


def read_flag(parameters: dict[str, str], name: str) -> bool:
    """Return a true/false query parameter, false when it is absent."""
    value = parameters.get(name, "false")
    if value not in {"true", "false"}:
        raise refuse(
            400, "INVALID_PARAMETER", f"Invalid value of parameter '{name}'.", query_param=name
        )
    return value == "true"


def read_page(parameters: dict[str, str], *, largest: int = 1000) -> tuple[int, int]:
    """Return (limit, offset); the offset must be a multiple of the limit."""
    numbers: dict[str, int] = {}
    for name, default in (("limit", largest), ("offset", 0)):
        text = parameters.get(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004
            raise refuse(
                400, "INVALID_PARAMETER", f"Invalid value of parameter '{name}'.", query_param=name
            )
        numbers[name] = int(text)
    limit, offset = numbers["limit"], numbers["offset"]
    if not 1 <= limit <= largest:
        raise refuse(
            400,
            "INVALID_PARAMETER",
            f"The limit must be between 1 and {largest}.",
            query_param="limit",
        )
    if offset % limit:
        raise refuse(
            400,
            "INVALID_PARAMETER",
            "The offset must be a multiple of the limit.",
            query_param="offset",
        )
    return limit, offset
