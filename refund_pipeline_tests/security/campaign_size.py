"""How many hostile cases a test tries: some in every run, 100,000 with REFUNDS_CHAOS=1."""

import os

CHAOS = os.environ.get("REFUNDS_CHAOS", "") == "1"


def cases(usual: int, *, chaos: int) -> int:
    return chaos if CHAOS else usual
