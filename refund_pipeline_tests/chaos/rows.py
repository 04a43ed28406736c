"""What a chaos campaign found: one row of the table in docs/reliability.md.

No campaign lives here, and nothing that runs one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


class CampaignFailed(Exception):
    """A campaign could not be carried through, so that nothing can be said."""


@dataclass(frozen=True, slots=True)
class Row:
    """One campaign's outcome.

    `faults` says in words what was done, with counts; `cases` is how often something was checked
    (interleavings, kills, outages). `lost` and `twice` are counted by asking the sandbox's ERP,
    never the ledger. `outcome` is what else is worth knowing, such as the seconds from recovery to
    everything posted.
    """

    campaign: str
    seed: int
    cases: int
    refunds: int
    faults: str
    lost: int
    twice: int
    outcome: str
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether the promise was kept."""
        return self.lost == 0 and self.twice == 0


Campaign = Callable[[int, Path], Row]
"""Run with this seed, writing only under this empty directory; return what was found."""
