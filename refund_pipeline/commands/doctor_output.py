"""How the doctor's findings are shown: a table for people, JSON for deploy scripts."""

import json
from collections import Counter
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from refund_pipeline.steps.doctor_findings import Finding, Verdict

_STYLES = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.ERROR: "bold red"}
_COUNTED = {Verdict.OK: "ok", Verdict.WARNING: "warnings", Verdict.ERROR: "errors"}


def errors_in(findings: Sequence[Finding]) -> int:
    """Count what must be mended."""
    return sum(one.verdict is Verdict.ERROR for one in findings)


def as_json(findings: Sequence[Finding]) -> str:
    """Write all findings as JSON, in the order of the checks."""
    rows = [
        {"area": one.area, "verdict": one.verdict.value, "what": one.what, "fix": one.fix or None}
        for one in findings
    ]
    return json.dumps({**_counts(findings), "findings": rows}, indent=2)


def print_table(console: Console, findings: Sequence[Finding]) -> None:
    """Print all findings, what must be mended last, where a person looks first."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("verdict", no_wrap=True)
    for name in ("area", "what", "how to mend it"):
        table.add_column(name, overflow="fold")
    order = list(Verdict)
    for one in sorted(findings, key=lambda finding: order.index(finding.verdict)):
        table.add_row(
            Text(one.verdict.value, style=_STYLES[one.verdict]),
            *(Text(cell) for cell in (one.area, one.what, one.fix)),
        )
    console.print(table)
    console.print(", ".join(f"{count} {name}" for name, count in _counts(findings).items()))


def _counts(findings: Sequence[Finding]) -> dict[str, int]:
    counted = Counter(one.verdict for one in findings)
    return {name: counted[verdict] for verdict, name in _COUNTED.items()}
