"""Where people see a record: the address of its page in NetSuite's own UI."""

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.gateways.netsuite_auth import realm_of

_NETSUITE = "netsuite.com"


def record_pages(erp_id: str, *, account: str, base_url: str = "") -> list[str]:
    """Return the pages of a refund's records; none where the account has no UI that is known.

    That is without an account, and where `base_url` leads to something else than NetSuite.
    """
    if not account or (base_url and _NETSUITE not in base_url):
        return []
    try:
        host = realm_of(account).lower().replace("_", "-")
    except Misconfigured:
        return []
    page = f"https://{host}.app.netsuite.com/app/accounting/transactions/transaction.nl"
    return [f"{page}?id={one}" for one in erp_id.split(", ") if one.isdigit()]
