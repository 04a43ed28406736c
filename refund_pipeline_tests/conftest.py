"""What every test shares: ledgers opened by the fakes are closed after the test."""

from collections.abc import Iterator

import pytest

from refund_pipeline_tests.fakes import OPENED


@pytest.fixture(autouse=True)
def _close_ledgers() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()
