"""What the ERP has of refunds whose writing was begun, before a person decides about them.

Asked as the posting step asks: the index, then a record's own address, then the refund id in its
field, since an ERP script can take an external id away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from refund_pipeline.gateways.erp import Erp
from refund_pipeline.gateways.ledger.rows import ResolutionWork

WRITE_IS_OVER_AFTER = timedelta(minutes=15)
"""NetSuite cuts a request off then (contract netsuite): later nothing can come of it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A record of a refund; `under_its_id` is false where only the refund id in it says so."""

    erp_id: str
    under_its_id: bool


def look_up(
    works: Sequence[ResolutionWork], *, erp: Erp, refund_id_field: str | None
) -> Mapping[str, Found]:
    """Return what the ERP has of these refunds, by refund id; absent where nothing is there.

    Raises:
        Unavailable, Misconfigured: the ERP cannot be asked.
    """
    keys = {work.standing.refund_id: _ids(work) for work in works}
    indexed = erp.find([key for names in keys.values() for key in names])
    found: dict[str, Found] = {}
    for refund_id, names in keys.items():
        record = next((indexed[key] for key in names if key in indexed), None)
        for key in names:
            record = record or erp.look_up(key)
        if record is not None:
            found[refund_id] = Found(record.erp_id, under_its_id=True)
    missing = [refund_id for refund_id in keys if refund_id not in found]
    if refund_id_field is not None and missing:
        for refund_id, records in erp.find_by_field(refund_id_field, missing).items():
            if records:
                found[refund_id] = Found(records[0].erp_id, under_its_id=False)
    return found


def _ids(work: ResolutionWork) -> list[str]:
    """Return the external ids its records may have: the first of several is written first."""
    sent_as = [work.external_id, f"{work.external_id}-1"] if work.external_id else []
    return [*sent_as, work.standing.refund_id]
