"""A real browser before a real Dagster: sandbox, web server, daemon and Chromium, once per session.

`make system` runs these tests; they need Debian's `chromium`, and are skipped where it is missing,
but not in CI.
"""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from refund_pipeline_tests.gateways.conftest import own_database
from refund_pipeline_tests.system.chromium import CHROMIUM, chromium, window
from refund_pipeline_tests.system.office import Office, open_office


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    if CHROMIUM is None:
        reason = "chromium is not installed (Debian's package chromium)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with open_office(tmp_path_factory.mktemp("office")) as running:
        yield running


@pytest.fixture
def databases() -> Iterator[tuple[str, str]]:
    """Two PostgreSQL databases, for the ledger and for Dagster's storage."""
    with own_database() as refunds, own_database() as dagster:
        yield (
            refunds.render_as_string(hide_password=False),
            dagster.render_as_string(hide_password=False),
        )


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def page(office: Office, browser: Browser) -> Iterator[Page]:
    """A page on Dagster's UI that must not complain on its console."""
    context = window(browser, office.dagster.url)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda said: said.type == "error" and complaints.append(said.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert complaints == []
