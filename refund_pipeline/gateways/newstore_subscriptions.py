"""Asks NewStore's integrations API (contract newstore 1.1 and 1.4).

Everything but creating is safe to repeat. Creating is sent once, and an integration is looked up by
the id we chose before it is sent again. Messages hold ids, statuses and codes: an answer may repeat
the secrets of an integration, so nothing else of it is shown.
"""

import json
import re
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

import stamina

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.gateways.http import Answer, NoAnswer, retry_after
from refund_pipeline.gateways.newstore_api import NewStoreApi
from refund_pipeline.gateways.newstore_integration_documents import (
    Unreadable,
    creation_document,
    delivery_document,
    read_integration,
    read_integrations,
)
from refund_pipeline.gateways.newstore_integrations import Delivery, Integration, NewIntegration

MOST_INTEGRATIONS = 25
"""Of one tenant, temporary and stopped ones too."""
_PATH = "/api/v1/org/integrations/eventstream"
_OK, _NOT_FOUND, _TOO_MANY, _SERVER_ERROR = 200, 404, 429, 500
_SUCCESS = range(200, 300)
_MISSING = "resource_not_found"
_CODE = re.compile(r"[a-z]+(_[a-z]+)+", re.ASCII)
_CODE_FIELDS = ("error_code", "code", "error")
_LONGEST_CODE = 60
_ATTEMPTS = 4
_FIRST_PAUSE, _LONGEST_PAUSE, _SECONDS = 1.0, 15.0, 60.0


Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Refused:
    """NewStore said no; `detail` holds its status and code."""

    detail: str


class _UnsettledError(Exception):
    """Whether the integration was made is not known, and it is not there."""

    def __init__(self, what: str, pause: float | None) -> None:
        super().__init__(what)
        self.pause = pause


class Subscriptions:
    """The event stream integrations of one tenant."""

    def __init__(self, api: NewStoreApi) -> None:
        self._api = api

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def all(self) -> list[Integration]:
        """Return every integration, ours or not.

        Raises:
            Unavailable: NewStore is down or blocks this address.
            Misconfigured: it refuses, or answers in another shape.
        """
        doing = "listing the event stream integrations"
        answer = self._api.ask(doing, "GET", _PATH)
        return _understood(doing, answer, read_integrations(answer.document))

    def find(self, integration_id: str) -> Integration | None:
        """Return one integration, or None when it does not exist.

        Raises:
            Unavailable, Misconfigured: as for `all`.
        """
        doing = f"looking up the event stream integration {integration_id}"
        answer = self._api.ask(doing, "GET", _path(integration_id))
        if _says_missing(answer):
            return None
        found = _understood(doing, answer, read_integration(answer.document))
        if found.integration_id != integration_id:
            raise Misconfigured(f"{doing}: NewStore answered with another integration")
        return found

    def create(self, new: NewIntegration) -> Integration | Refused:
        """Register an integration and return what NewStore then shows under its id.

        When the id was taken meanwhile that is the other one; the caller compares.

        Raises:
            Unavailable: it may or may not exist; look again before creating it again.
            Misconfigured: as for `all`.
        """
        doing = f"creating the event stream integration {new.integration_id}"
        try:
            for attempt in stamina.retry_context(
                on=_pause,
                attempts=_ATTEMPTS,
                timeout=_SECONDS,
                wait_initial=_FIRST_PAUSE,
                wait_max=_LONGEST_PAUSE,
                wait_jitter=_FIRST_PAUSE,
            ):
                with attempt:
                    return self._create_once(doing, new)
        except _UnsettledError as error:
            raise Unavailable(
                f"{doing}: {error}, and it is not there; the same command is safe to repeat"
            ) from None
        raise AssertionError("stamina ends by returning or raising")

    def change_delivery(self, integration_id: str, delivery: Delivery) -> Refused | None:
        """Send target and secrets anew; None: NewStore took them."""
        doing = f"changing the event stream integration {integration_id}"
        document = delivery_document(delivery)
        answer = self._api.ask(doing, "PATCH", _path(integration_id), document)
        return _refusal(answer, sent=json.dumps(document))

    def start(self, integration_id: str) -> Refused | None:
        """Start it; None: NewStore accepted."""
        doing = f"starting the event stream integration {integration_id}"
        return _refusal(self._api.ask(doing, "POST", _path(integration_id) + "/_start"))

    def stop(self, integration_id: str) -> Refused | None:
        """Stop it; None: NewStore accepted."""
        doing = f"stopping the event stream integration {integration_id}"
        return _refusal(self._api.ask(doing, "POST", _path(integration_id) + "/_stop"))

    def delete(self, integration_id: str) -> Refused | None:
        """Delete it; None: it is gone, or was before."""
        doing = f"deleting the event stream integration {integration_id}"
        answer = self._api.ask(doing, "DELETE", _path(integration_id))
        return None if _says_missing(answer) else _refusal(answer)

    def _create_once(self, doing: str, new: NewIntegration) -> Integration | Refused:
        document = creation_document(new)
        pause: float | None = None
        refusal: Refused | None = None
        try:
            answer = self._api.ask(doing, "POST", _PATH, document, repeatable=False)
        except NoAnswer as error:
            what = str(error)
        else:
            what = f"NewStore answered {answer.status}"
            pause = retry_after(answer)
            if answer.status != _TOO_MANY and answer.status < _SERVER_ERROR:
                refusal = _refusal(answer, sent=json.dumps(document))
        found = self.find(new.integration_id)
        if found is not None:
            return found
        if refusal is not None:
            return refusal
        raise _UnsettledError(what, pause)


def _path(integration_id: str) -> str:
    return f"{_PATH}/{quote(integration_id, safe='')}"


def _pause(error: Exception) -> bool | float:
    if not isinstance(error, _UnsettledError):
        return False
    return error.pause if error.pause is not None else True


def _understood(doing: str, answer: Answer, read: Read | Unreadable) -> Read:
    if answer.status != _OK:
        raise Misconfigured(
            f"{doing}: NewStore answered {_shown(answer)}; check NEWSTORE_BASE_URL and what the"
            " API client may do"
        )
    if isinstance(read, Unreadable):
        raise Misconfigured(
            f"{doing}: NewStore's answer has another shape than expected"
            f" ({'; '.join(read.problems)}); ask NewStore what has changed"
        )
    return read


def _refusal(answer: Answer, *, sent: str = "") -> Refused | None:
    if answer.status in _SUCCESS:
        return None
    return Refused(f"NewStore answered {_shown(answer, sent=sent)}")


def _says_missing(answer: Answer) -> bool:
    """Whether it is a 404 about the integration, not about the address we asked."""
    return answer.status == _NOT_FOUND and _MISSING in json.dumps(answer.document, default=str)


def _shown(answer: Answer, *, sent: str = "") -> str:
    """Return the status, and the code unless it is or repeats anything else."""
    document = answer.document if isinstance(answer.document, dict) else {}
    for name in _CODE_FIELDS:
        code = document.get(name)
        if isinstance(code, str) and len(code) <= _LONGEST_CODE and _CODE.fullmatch(code):
            return f"{answer.status}" if code in sent else f"{answer.status} ({code})"
    return f"{answer.status}"
