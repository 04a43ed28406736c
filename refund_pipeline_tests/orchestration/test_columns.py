"""The catalogue says of each asset's table what the table really holds."""

import pytest
import sqlalchemy as sa

from refund_pipeline.gateways.ledger.tables import Money, UtcTime, metadata
from refund_pipeline.orchestration.columns import COLUMNS

KINDS = {
    "text": sa.Text,
    "date": sa.Date,
    "integer": sa.Integer,
    "decimal": Money,
    "timestamp": UtcTime,
}


@pytest.mark.parametrize("asset", sorted(COLUMNS))
def test_every_column_is_there_and_of_its_kind(asset: str) -> None:
    name, columns = COLUMNS[asset]
    table = metadata.tables[name]
    for column, kind, _ in columns:
        assert isinstance(table.columns[column].type, KINDS[kind])
