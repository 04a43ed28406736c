"""How the account is set up: accounting preferences, its taxes, the language of its user.

What a role may do is `role.py`; which tables a search shows is `suiteql_switches.py`.
"""

from dataclasses import dataclass
from enum import Enum


class TaxProfile(Enum):
    """How taxes and REST go together (contract 6.4).

    LEGACY refuses tax properties, LEGACY_DROPS takes and forgets them, SUITETAX knows its own.
    """

    LEGACY = "legacy"
    LEGACY_DROPS = "legacy_drops"
    SUITETAX = "suitetax"


class ReadOnly(Enum):
    """What happens to read-only properties in a body (section 8, point 11)."""

    REFUSE = "refuse"
    IGNORE = "ignore"


class Language(Enum):
    """The language of the integration's user, which messages are in."""

    ENGLISH = "en"
    GERMAN = "de"
    ITALIAN = "it"


@dataclass(slots=True)
class Preferences:
    """Switches of one account.

    Without `preferred_form` a body has to name its form, which is the stricter guess.
    With `schema_references` the catalogue describes lines in schemas of their own.
    `one_world` is a feature of the account: it stays as it was when the sandbox was made.
    """

    tax: TaxProfile = TaxProfile.LEGACY
    read_only: ReadOnly = ReadOnly.REFUSE
    language: Language = Language.ENGLISH
    future_dates: bool = True
    preferred_form: str | None = None
    schema_references: bool = False
    one_world: bool = True
