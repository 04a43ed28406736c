"""A day of refunds on paper: what it takes by formula, and a simulation of when each is posted.

Latencies of NetSuite are those of design and contract; what the pipeline itself takes was measured
(docs/performance.md). Prices are list prices, for orders of magnitude.
"""

import heapq
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

DAY = 86_400.0
_BY_HOUR = (*(1, 0, 0, 0, 0, 0, 1, 2), *(4, 6, 8, 9, 9, 9, 8, 8), *(8, 9, 9, 8, 6, 4, 2, 1))
"""Refunds by hour of the day: shops of one time zone."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What serves one NetSuite account. Seconds unless said otherwise."""

    slots: int
    """Writes at once: what other integrations leave of the account's pool."""
    median: float = 1.5
    p99: float = 8.0
    """One POST (design, section 9)."""
    file_every: float = 300.0
    """NewStore uploads what happened since (contract newstore 2)."""
    tick: float = 30.0
    run_start: float = 6.0
    """From the sensor's request to the first POST: queue, process, imports and steps (4.5 s), and
    the answers those wait for."""
    cpu_per_refund: float = 0.007
    """Of all steps together, on one core."""

    @property
    def spread(self) -> float:
        """Sigma of the log-normal latency with this median and p99."""
        return math.log(self.p99 / self.median) / 2.3263

    @property
    def mean(self) -> float:
        """Mean seconds of one POST."""
        return self.median * math.exp(self.spread**2 / 2)

    @property
    def per_hour(self) -> float:
        """Refunds an hour at most: what the ERP takes, or what one core builds."""
        return 3600 * min(self.slots / self.mean, 1 / self.cpu_per_refund)


def peak_per_hour(a_day: float) -> float:
    """Refunds that land in the busiest hour."""
    return a_day * max(_BY_HOUR) / sum(_BY_HOUR)


def slots_needed(a_day: float, deployment: Deployment) -> int:
    """Return the writes at once that keep up with the busiest hour."""
    return math.ceil(peak_per_hour(a_day) * deployment.mean / 3600)


@dataclass(frozen=True, slots=True)
class Requests:
    """What a day asks of others."""

    erp: float
    newstore: float
    s3: float

    @property
    def newstore_per_second(self) -> float:
        """In the busiest hour."""
        return self.newstore * max(_BY_HOUR) / sum(_BY_HOUR) / 3600


def requests(a_day: float, deployment: Deployment) -> Requests:
    """Return the requests of a day; batches are as large as what lands between two runs."""
    runs = min(DAY / deployment.file_every, a_day)
    # Lists of 200 ids: three a refund before its write, one of its sale, three to compare it.
    look_ups = max(3 * runs, 7 * a_day / 200)
    documents = max(runs, a_day / 50)  # GraphQL: 50 orders in each
    return Requests(
        erp=a_day + look_ups,
        newstore=2 * a_day + documents,  # a payment account and a refund resource each
        s3=DAY / deployment.tick + DAY / deployment.file_every + 2 * runs,
    )


LEDGER_BYTES = 4_600
"""One posted refund with its history, SQLite: 460 MB after the day of 100,000."""
EVENT_BYTES = 1_000
"""One line of a landed file, not compressed."""
_S3_PER_1000 = 0.005
_VCPU_HOUR, _GB_HOUR = 0.0405, 0.0044
_MEMORY_GB = 2
"""Dollars: AWS list prices of LIST and PUT requests and of Fargate, for orders of magnitude."""


def dollars_a_month(a_day: float, deployment: Deployment) -> float:
    """Return what S3's requests and one machine for all of it cost; neither NetSuite nor people.

    The web server, the daemon and the code server are there all day; runs come on top.
    """
    always = 24 * 30 * (_VCPU_HOUR + 2 * _MEMORY_GB * _GB_HOUR)
    writing = a_day * max(deployment.mean / deployment.slots, deployment.cpu_per_refund)
    runs = min(DAY / deployment.file_every, a_day) * deployment.run_start + writing
    compute = runs / 3600 * 30 * (_VCPU_HOUR + _MEMORY_GB * _GB_HOUR)
    return always + compute + requests(a_day, deployment).s3 * 30 / 1000 * _S3_PER_1000


@dataclass(frozen=True, slots=True)
class Simulated:
    """How long refunds waited from their event to their record, in seconds, and what was left."""

    median: float
    p99: float
    runs: int
    waiting_at_midnight: int
    busy: float
    """Share of the slots' time spent writing, over the day."""


def simulate(a_day: int, deployment: Deployment, *, seed: int) -> Simulated:
    """Play one day, refund by refund, until everything is posted.

    Events wait for their file, files for a tick, runs for the one before: one run at a time writes
    to an account. A run takes what has landed when it starts.
    """
    chance = random.Random(seed)
    landed = sorted(
        (math.ceil(at / deployment.file_every) * deployment.file_every, at)
        for at in _moments(a_day, chance)
    )
    free = [0.0] * deployment.slots
    waits, ends = list[float](), list[float]()
    next_one, now, runs, writing = 0, 0.0, 0, 0.0
    mu = math.log(deployment.median)
    while next_one < len(landed):
        asked = math.ceil(max(now, landed[next_one][0]) / deployment.tick) * deployment.tick
        begins = asked + deployment.run_start
        runs += 1
        first = next_one
        while next_one < len(landed) and landed[next_one][0] <= asked:
            next_one += 1
        free = [begins] * deployment.slots
        for number, (_, at) in enumerate(landed[first:next_one]):
            built = begins + number * deployment.cpu_per_refund
            slot = max(heapq.heappop(free), built)
            took = chance.lognormvariate(mu, deployment.spread)
            writing += took
            heapq.heappush(free, slot + took)
            waits.append(slot + took - at)
            ends.append(slot + took)
        now = max(free)
    waits.sort()
    return Simulated(
        median=waits[len(waits) // 2],
        p99=waits[int(len(waits) * 0.99)],
        runs=runs,
        waiting_at_midnight=sum(end > DAY for end in ends),
        busy=writing / (deployment.slots * max(DAY, now)),
    )


def _moments(a_day: int, chance: random.Random) -> Iterator[float]:
    hours = chance.choices(range(24), weights=_BY_HOUR, k=a_day)
    return ((hour + chance.random()) * 3600 for hour in hours)
