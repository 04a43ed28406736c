"""The exceptions every caller would stop at; expected outcomes are types, see `outcomes.py`.

PipelineError
├── InvalidAmount         an amount that is not exact money of its currency
├── InvalidMapping        the mapping file cannot be used; lists every problem
├── InvalidTransaction    a refund transaction that does not balance; a defect, never posted
└── SystemicFailure       nothing in this batch can go on: stop, touch no more rows
    ├── Unavailable           the other side is down or unreachable; worth trying again later
    └── Misconfigured         credentials or a setting refused; a person must act

A message says what was being done, to which refund, and what the reader can do. It holds ids and
status codes, never names, e-mails, card numbers, tokens or raw bodies.
"""

from collections.abc import Sequence


class PipelineError(Exception):
    """Base of everything this project raises on purpose."""


class InvalidAmount(PipelineError):
    """An amount that is not exact money of its currency."""


class InvalidMapping(PipelineError):
    """The mapping file cannot be used."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        self.source = source
        self.problems = tuple(problems)
        listed = "\n".join(f"  - {problem}" for problem in self.problems)
        super().__init__(
            f"{source} has {len(self.problems)} problem(s); nothing is posted:\n{listed}"
        )


class InvalidTransaction(PipelineError):
    """A refund transaction that does not balance."""


class SystemicFailure(PipelineError):
    """Nothing in this batch can go on."""


class Unavailable(SystemicFailure):
    """The other side is down or unreachable; the same call is worth trying again later."""


class Misconfigured(SystemicFailure):
    """Credentials refused, a permission or setting missing; trying again changes nothing."""
