"""The watch's settings as a Dagster resource: whom to tell, and from when on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

if TYPE_CHECKING:
    from refund_pipeline.gateways.landing_bucket import LandingBucket
    from refund_pipeline.gateways.ledger.ledger import Ledger
    from refund_pipeline.steps.watch_settings import WatchSettings
    from refund_pipeline.steps.watching import DagsterView, Watch


class WatchResource(dg.ConfigurableResource):
    """Channels and limits; numbers are text, so that empty can mean the default."""

    tenant: str
    alerts: str = Field(default="", description="URLs of channels; they are secrets.")
    heartbeat_url: str = Field(default="", description="Asked after every good look.")
    outstanding_limit_hours: str = ""
    tick_limit_minutes: str = ""
    code_location: str = Field(
        default="", description="Ours, where one Dagster instance has several tenants."
    )

    def settings(self) -> "WatchSettings":
        """Return them as the watch takes them."""
        from refund_pipeline.steps.watch_settings import WatchSettings

        return WatchSettings(
            tenant=self.tenant,
            alerts=self.alerts,
            heartbeat_url=self.heartbeat_url,
            outstanding_limit_hours=self.outstanding_limit_hours,
            tick_limit_minutes=self.tick_limit_minutes,
        )

    @contextmanager
    def opened(
        self,
        *,
        ledger: "Ledger",
        bucket: "LandingBucket | None",
        dagster: "DagsterView",
        start: date | None,
        home: Path | None,
        clock: Callable[[], datetime],
    ) -> "Iterator[Watch]":
        """Open what a look needs.

        Raises:
            Misconfigured: a limit is no number.
        """
        from refund_pipeline.steps.watch_settings import opened_watch

        with opened_watch(
            self.settings(),
            ledger=ledger,
            bucket=bucket,
            dagster=dagster,
            start=start,
            home=home,
            clock=clock,
        ) as watch:
            yield watch
