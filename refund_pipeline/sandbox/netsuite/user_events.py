"""User-event scripts of the account, which run inside every save (section 8, point 35).

A script is Python here: it gets the draft and returns it, changed or not, or refuses it.
"""

from collections.abc import Callable

from refund_pipeline.sandbox.netsuite.exchange import user_error
from refund_pipeline.sandbox.netsuite.ledger import Draft

Script = Callable[[Draft], Draft]


class ScriptError(Exception):
    """A script ends a save; the text is what the client is told."""


class UserEvents:
    """The scripts deployed on cash refunds, in the order they were added.

    `seconds` is how long they take, on top of a write's latency and on its scale.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._before: list[Script] = []
        self._after: list[Script] = []

    def before_submit(self, script: Script) -> None:
        """Run a script before a record is stored: what it returns is stored."""
        self._before.append(script)

    def after_submit(self, script: Script) -> None:
        """Run a script once a record is stored: it may refuse, and the record stays."""
        self._after.append(script)

    def clear(self) -> None:
        """Undeploy every script."""
        self.seconds = 0.0
        self._before.clear()
        self._after.clear()

    def run_before(self, draft: Draft) -> Draft:
        """Return what the scripts made of a draft.

        Raises:
            Refusal: 400 USER_ERROR with the script's text.
        """
        return self._run(self._before, draft)

    def run_after(self, draft: Draft) -> None:
        """Run the scripts that follow a save.

        Raises:
            Refusal: 400 USER_ERROR although the record is stored.
        """
        self._run(self._after, draft)

    @staticmethod
    def _run(scripts: list[Script], draft: Draft) -> Draft:
        try:
            for script in scripts:
                draft = script(draft)
        except ScriptError as error:
            raise user_error(str(error)) from error
        return draft
