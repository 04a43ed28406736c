"""Debian's Chromium, driven by Playwright; it asks no network for anything of its own."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

CHROMIUM = shutil.which("chromium")
PATIENCE_MS = 120_000
"""A run is a new process of some seconds, and this machine may be busy."""
_QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the browser for the length of a `with` block."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_QUIET))
        yield browser
        browser.close()


def window(browser: Browser, url: str) -> BrowserContext:
    """Open a window on the site at `url`."""
    context = browser.new_context(base_url=url, viewport={"width": 1500, "height": 1100})
    context.set_default_timeout(PATIENCE_MS)
    return context
