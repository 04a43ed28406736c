"""Put the services of one account together, once its address is known."""

from collections.abc import Callable
from datetime import datetime

from refund_pipeline.sandbox.netsuite.audit import Audit
from refund_pipeline.sandbox.netsuite.books import Books
from refund_pipeline.sandbox.netsuite.governance import Governance
from refund_pipeline.sandbox.netsuite.master_data import MasterData
from refund_pipeline.sandbox.netsuite.metadata import Metadata
from refund_pipeline.sandbox.netsuite.preferences import Preferences
from refund_pipeline.sandbox.netsuite.properties import RefundProperties
from refund_pipeline.sandbox.netsuite.record_service import RecordService
from refund_pipeline.sandbox.netsuite.record_writes import RecordWrites
from refund_pipeline.sandbox.netsuite.refund_rules import RefundRules
from refund_pipeline.sandbox.netsuite.rendering import Rendering
from refund_pipeline.sandbox.netsuite.role import Role
from refund_pipeline.sandbox.netsuite.services import Services
from refund_pipeline.sandbox.netsuite.suiteql import SuiteQlService
from refund_pipeline.sandbox.netsuite.user_events import UserEvents


def build_services(
    *,
    master: MasterData,
    books: Books,
    schema: RefundProperties,
    suiteql: SuiteQlService,
    role: Role,
    preferences: Preferences,
    scripts: UserEvents,
    governance: Governance,
    audit: Audit,
    clock: Callable[[], datetime],
    address: str,
) -> Services:
    """Return the services; `address` is the scheme and host records are addressed by."""
    rendering = Rendering(master, books, schema, address)
    writes = RecordWrites(
        master=master,
        books=books,
        schema=schema,
        rules=RefundRules(
            master=master, books=books, schema=schema, role=role, preferences=preferences
        ),
        rendering=rendering,
        audit=audit,
        scripts=scripts,
        preferences=preferences,
        clock=clock,
    )
    records = RecordService(
        master=master,
        books=books,
        schema=schema,
        rendering=rendering,
        writes=writes,
        metadata=Metadata(schema, preferences, address),
        role=role,
    )
    return Services(
        records=records,
        suiteql=suiteql,
        governance=governance,
        role=role,
        clock=clock,
        address=address,
    )
