"""Scenarios as text for people: the page docs/scenarios.md, and what the terminal shows."""

from collections.abc import Iterator, Mapping

from refund_pipeline.sandbox.scenarios.model import Checkpoint, Refund, Scenario
from refund_pipeline.sandbox.scenarios.staged import StagedScenario

_INTRODUCTION = """\
# Scenarios

What can happen to an appeasement refund at NewStore, as data: each scenario is an order, the ERP's
sale of it, the events, the payments on a timeline, and how it must end. The files are in
`refund_pipeline/sandbox/scenarios/`; the tests run every one of them alone, and all of them at once
in random order with duplicates. To see one happen:

```
refund-pipeline sandbox --list-scenarios
refund-pipeline sandbox --scenario split-tender-late-leg
```

It lands the events at once, lets payments and sales appear in their time, and prints what the
pipeline must make of them. `--scenario` may be given several times.

This page is written by `python -m refund_pipeline.sandbox.scenarios`; a test keeps it equal to the
files. The sections are those of NewStore's contract.
"""


def page(scenarios: Mapping[str, Scenario]) -> str:
    """Return docs/scenarios.md."""
    rows = [
        "| scenario | what happens | section | where it ends |",
        "| --- | --- | --- | --- |",
        *(
            f"| `{name}` | {one.description} | {one.contract} | {'; '.join(_ends(one))} |"
            for name, one in scenarios.items()
        ),
    ]
    return _INTRODUCTION + "\n" + "\n".join(rows) + "\n"


def names(scenarios: Mapping[str, Scenario]) -> Iterator[str]:
    """Yield a line per scenario: its name and its description."""
    width = max(map(len, scenarios), default=0)
    for name, one in scenarios.items():
        yield f"{name:<{width}}  {one.description}"


def programme(staged: StagedScenario) -> Iterator[str]:
    """Yield what a staged scenario must come to, a line per refund and checkpoint."""
    yield f"{staged.name}, from {staged.at:%Y-%m-%d %H:%M:%S} UTC"
    for refund in staged.refunds:
        yield (
            f"  refund {refund.refund_id}: {refund.amount} {refund.currency} "
            f"of order {refund.order_number}"
        )
        for checkpoint in refund.expected:
            yield f"    after {checkpoint.at:g} s: {_standing(checkpoint)}"
            for line in checkpoint.tenders:
                digits = f", card ends in {line.gift_card_last4}" if line.gift_card_last4 else ""
                yield f"      {'/'.join(line.tender)} {line.amount}{digits}"


def _ends(scenario: Scenario) -> Iterator[str]:
    """Yield where the refunds end and by when, equal ones once."""
    yield from dict.fromkeys(_end(refund) for refund in scenario.refunds)


def _end(refund: Refund) -> str:
    standings = list(dict.fromkeys(_standing(one) for one in refund.expected))
    return ", then ".join(standings)


def _standing(checkpoint: Checkpoint) -> str:
    reason = f" ({checkpoint.reason})" if checkpoint.reason else ""
    return f"{checkpoint.status}{reason}"
