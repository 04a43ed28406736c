"""The names of what a person may decide about a refund; imports nothing, so that help is quick.

What fits when, and what it comes to, is `resolutions.py`.
"""

from enum import Enum


class Action(str, Enum):
    """What a person decides."""

    RETRY = "retry"
    """Forget what was read and built: the day's next run looks at the refund anew."""
    STANDALONE = "standalone"
    """Post without the sale it refunds."""
    TENDER = "tender"
    """Post what went back on one tender by the mapping row of another one."""
    SKIP = "skip"
    """A person has booked or settled it: never post it."""
    RELEASE = "release"
    """Let it through the gates of the mapping."""
    REOPEN = "reopen"
    """Take back what people decided about it, a skip too: the rules alone decide again."""
