"""What every check of NetSuite's lists shares: lists the role may not read, and what fits where."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import TypeVar

from refund_pipeline.gateways.netsuite_suiteql import QueryRefused
from refund_pipeline.steps.doctor_findings import Finding, Findings, error, warning
from refund_pipeline.steps.doctor_uses import Subsidiaries, Use

AREA = "NetSuite lists"
_List = TypeVar("_List")


class Reader:
    """Reads lists; one the role may not read is None, and a finding of its own at the end."""

    def __init__(self) -> None:
        self._hidden: list[Finding] = []

    def read(self, what: str, permission: str, ask: Callable[[], _List]) -> _List | None:
        """Return what `ask` reads; `permission` is where an administrator finds what it needs.

        Raises:
            Unavailable: NetSuite does not answer.
        """
        try:
            return ask()
        except QueryRefused:
            self._hidden.append(
                warning(
                    AREA,
                    f"NetSuite does not show the role its {what}, so they were not checked",
                    f"give the role the permission {permission}",
                )
            )
            return None

    def hidden(self) -> Findings:
        """Yield the lists that were not read."""
        yield from self._hidden


class _Fit(Enum):
    YES = "yes"
    PERHAPS = "perhaps"
    NO = "no"


def unfit(
    use: Use,
    *,
    what: str,
    allowed: Mapping[str, frozenset[str]] | None,
    subsidiaries: Subsidiaries,
    fix: str,
) -> Findings:
    """Yield the subsidiaries an entry is used in and not available to.

    What is available to a parent may include its children without saying so (contract suiteql 7).
    """
    if allowed is None:
        return
    for subsidiary in sorted(use.subsidiaries):
        fit = _fit(subsidiary, allowed.get(use.internal_id, frozenset()), subsidiaries)
        if fit is _Fit.NO:
            yield error(
                AREA,
                f"{use.where}: {what} {use.internal_id} is not available to subsidiary"
                f" {subsidiary}, where it is used",
                f"add subsidiary {subsidiary} to {what} {use.internal_id} in NetSuite, or {fix}",
            )
        elif fit is _Fit.PERHAPS:
            yield warning(
                AREA,
                f"{use.where}: {what} {use.internal_id} is available to a parent of subsidiary"
                f" {subsidiary}; NetSuite does not say whether children are included",
                f"make sure that Include Children is checked on {what} {use.internal_id}",
            )


def all_well(findings: Findings, what: str) -> Findings:
    """Yield the findings, or `what` is good when there are none."""
    empty = True
    for finding in findings:
        empty = False
        yield finding
    if empty:
        yield Finding(AREA, what)


def _fit(subsidiary: str, allowed: frozenset[str], subsidiaries: Subsidiaries) -> _Fit:
    if subsidiary in allowed:
        return _Fit.YES
    above, seen = subsidiary, set[str]()
    while above in subsidiaries and above not in seen:
        seen.add(above)
        above = subsidiaries[above].parent or ""
        if above in allowed:
            return _Fit.PERHAPS
    return _Fit.NO
