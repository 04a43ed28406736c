"""Proves that the ledger can be written to, and writes nothing: inserts of no row, rolled back."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from refund_pipeline.gateways.ledger.database import VERSION
from refund_pipeline.gateways.ledger.tables import metadata


def prove_writable(connection: Connection) -> str:
    """Insert no row into every table; a missing permission is the error it would be for rows.

    Return the revision of the schema.
    """
    revision: str = connection.execute(sa.select(VERSION)).scalar_one()
    for table in metadata.sorted_tables:
        nothing = sa.select(*table.columns).where(sa.false())
        connection.execute(table.insert().from_select(list(table.columns), nothing))
    connection.rollback()
    return revision
