"""A person who reruns and backfills past days without end, through the queue, as in the UI."""

import contextlib
import random
import threading
from collections.abc import Sequence
from datetime import date

import requests
from typing_extensions import Self

from refund_pipeline.orchestration.jobs import SYNC_REFUNDS
from refund_pipeline_tests.chaos.services import Services

_EVERY = 4.0
_ENOUGH = 5
"""Runs queued or under way; as many as dagster.yaml lets run at once."""
_ONE_IN = 12
"""So many requests to one backfill of all days."""
_PLACE = {"repositoryLocationName": "refund_pipeline", "repositoryName": "__repository__"}
_UNFINISHED = """
{ runsOrError(filter: {statuses: [QUEUED, NOT_STARTED, STARTING, STARTED]}) {
  ... on Runs { results { id } } } }
"""
_RUN = """
mutation($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename } }
"""
_BACKFILL = """
mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) { __typename } }
"""


class Person:
    """Asks while the block lasts; what fails because a service is down is asked again."""

    def __init__(self, services: Services, days: Sequence[date], chance: random.Random) -> None:
        self._services = services
        self._days = [day.isoformat() for day in days]
        self._chance = chance
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="person")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._stopped.wait(_EVERY):
            # No data: the code server is being started again, which the UI would show.
            with contextlib.suppress(requests.RequestException, TypeError, KeyError):
                if len(self._services.ask(_UNFINISHED)["runsOrError"]["results"]) < _ENOUGH:
                    self._ask_for_more()

    def _ask_for_more(self) -> None:
        if self._chance.randrange(_ONE_IN) == 0:
            selector = {
                "partitionSetName": f"{SYNC_REFUNDS}_partition_set",
                "repositorySelector": _PLACE,
            }
            wanted = {"selector": selector, "partitionNames": self._days}
            self._services.ask(_BACKFILL, params=wanted)
            return
        day = self._chance.choice(self._days)
        tags = [{"key": "dagster/partition", "value": day}]
        wanted = {
            "selector": {**_PLACE, "jobName": SYNC_REFUNDS},
            "executionMetadata": {"tags": tags},
            "runConfigData": {},
        }
        self._services.ask(_RUN, params=wanted)
