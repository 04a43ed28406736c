"""Reads how a NetSuite account is set up: credentials, records, their properties, master data.

For proving the set-up before the first posting; it writes nothing. Refused credentials are sent
once, since five refusals lock the user (contract 1.3). What the lists say is
`netsuite_master_data.py`, what schemas say `netsuite_metadata.py`.
"""

from collections.abc import Mapping, Sequence

from refund_pipeline.gateways.http import Answer, Http, RetryPolicy
from refund_pipeline.gateways.netsuite_auth import SERVICES, Authenticator, services_url
from refund_pipeline.gateways.netsuite_master_data import MasterData
from refund_pipeline.gateways.netsuite_metadata import (
    Properties,
    properties_of,
    rows_of,
    sublist_of,
)

_OK = 200
_PATIENCE = RetryPolicy(attempts=3, seconds=30.0)
_CATALOG = "/record/v1/metadata-catalog/"
_SCHEMA = {"Accept": "application/schema+json"}
_DEEPEST = 3
"""References from a record to the properties of a sublist's rows: the list, its page, a row."""


class NetSuiteSetup:
    """The set-up of one account. The first request is the login; its refusal raises."""

    def __init__(
        self,
        *,
        account: str,
        base_url: str | None,
        authenticator: Authenticator,
        policy: RetryPolicy = _PATIENCE,
    ) -> None:
        self._url = services_url(account, base_url)
        self._authenticator = authenticator
        self._http = Http("NetSuite", connections=1, read_seconds=60.0, policy=policy)
        self._schemas: dict[str, object] = {}
        self.master_data = MasterData(self._read)

    @property
    def address(self) -> str:
        """Scheme and host."""
        return self._url.removesuffix(SERVICES)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def refusal_of(self, record: str) -> int | None:
        """Return the status with which NetSuite refuses to show a record type; None if it does not.

        A list shows ids only. One record is opened too, since REST opens it as if for editing
        (contract 1.5); only its number is asked for.

        Raises:
            Misconfigured: the credentials are refused; nothing must be sent with them again.
            Unavailable: NetSuite does not answer.
        """
        doing = f"reading {record} in NetSuite"
        answer = self._read(doing, "GET", f"/record/v1/{record}", params={"limit": "1"})
        if answer.status == _OK and (shown := _objects(_object(answer.document).get("items"))):
            path = f"/record/v1/{record}/{shown[0].get('id')}"
            answer = self._read(doing, "GET", path, params={"fields": "tranId"})
        return None if answer.status == _OK else answer.status

    def properties(self, record: str) -> Properties:
        """Return the properties of a record type that this account and role have; empty if hidden.

        Raises:
            Unavailable: NetSuite does not answer.
        """
        return properties_of(self._schema(record))

    def line_properties(self, record: str, sublist: str) -> Properties:
        """Return the properties of a sublist's lines; empty where NetSuite does not say."""
        found = sublist_of(self._schema(record), sublist)
        for _ in range(_DEEPEST):
            if not found.schema:
                break
            found = rows_of(self._schema(found.schema))
        return found.properties

    def customer_currencies(self, customer: str) -> frozenset[str] | None:
        """Return the ids of a customer's currencies as its record lists them; None if hidden.

        SuiteQL has no table of them (contract suiteql 1.3).
        """
        doing = "reading a default customer in NetSuite"
        path = f"/record/v1/customer/{customer}"
        answer = self._read(doing, "GET", path, params={"expandSubResources": "true"})
        if answer.status != _OK:
            return None
        record = _object(answer.document)
        listed = _objects(_object(record.get("currencyList")).get("items"))
        ids = (_object(row.get("currency")).get("id") for row in (record, *listed))
        return frozenset(str(one) for one in ids if one)

    def _schema(self, name: str) -> object:
        if name not in self._schemas:
            doing = f"reading the metadata of {name} in NetSuite"
            answer = self._read(doing, "GET", _CATALOG + name, headers=_SCHEMA)
            self._schemas[name] = answer.document if answer.status == _OK else None
        return self._schemas[name]

    def _read(
        self,
        doing: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        return self._authenticator.send(
            lambda sign: self._http.read(
                doing,
                method,
                self._url + path,
                params=params,
                body=body,
                headers={"Accept": "application/json", **(headers or {})},
                sign=sign,
            ),
            attempts=1,
        )


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> Sequence[Mapping[str, object]]:
    return [_object(one) for one in value] if isinstance(value, list) else []
