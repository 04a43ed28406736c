"""Writes docs/scenarios.md: `python -m refund_pipeline.sandbox.scenarios > docs/scenarios.md`."""

import sys

from refund_pipeline.sandbox.scenarios.library import all_scenarios
from refund_pipeline.sandbox.scenarios.listing import page

if __name__ == "__main__":
    sys.stdout.write(page(all_scenarios()))
