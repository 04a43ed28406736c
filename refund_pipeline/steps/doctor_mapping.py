"""Does the mapping file say what it has to, as far as the file alone can tell?

Whether NetSuite knows its ids is `doctor_accounts.py`.
"""

from refund_pipeline.domain.mapping import Mapping
from refund_pipeline.gateways.mapping_file import LoadedMapping
from refund_pipeline.steps.doctor_findings import Finding, Findings, warning

AREA = "mapping"


def check_mapping(loaded: LoadedMapping) -> Findings:
    """Report a mapping that is valid, and what in it holds refunds back."""
    mapping = loaded.mapping
    yield Finding(
        AREA,
        f"{loaded.source} is valid (version {loaded.version}): {len(mapping.stores)} stores,"
        f" {len(mapping.tenders)} tenders, {len(mapping.currencies)} currencies",
    )
    yield from _held_back(mapping)


def _held_back(mapping: Mapping) -> Findings:
    if mapping.gates.stop_posting:
        yield warning(
            AREA,
            "gates.stop_posting is on: every refund is held",
            "set gates.stop_posting: false when posting may begin",
        )
    if not mapping.stores:
        yield warning(
            AREA,
            "there are no stores: every refund of a store order is held",
            "add a row for each NewStore store under stores",
        )
    for code in mapping.web:
        if code not in mapping.currencies:
            yield warning(
                AREA,
                f"web.{code} has a place, but currencies has no {code}: refunds in it are held",
                f"add {code} under currencies",
            )
    for code in mapping.currencies:
        if code not in mapping.web:
            yield warning(
                AREA,
                f"web has no row for {code}: refunds in it of orders of no store are held",
                f"add {code} under web, if such orders exist",
            )
