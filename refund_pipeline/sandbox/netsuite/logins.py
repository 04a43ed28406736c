"""Who may log in, and the login audit trail: why a login failed, which the client is never told.

One integration, one user, one role. The lock is contract 1.3's: five failures, 30 minutes.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from refund_pipeline.sandbox.netsuite.exchange import ErrorDetail, Refusal

LOCKED = "temporary_locked"
_LOCKING_FAILURES = 5
_LOCK = timedelta(minutes=30)


@dataclass(slots=True)
class Access:
    """Switches an administrator has: the integration, its user and role, and the two features."""

    integration_enabled: bool = True
    user_active: bool = True
    role_may_log_in: bool = True
    token_feature_enabled: bool = True
    oauth2_feature_enabled: bool = True


@dataclass(frozen=True, slots=True)
class LoginFailure:
    """One line of the trail; `reason` is a word of contract 1.3, or says it in our words."""

    reason: str
    at: datetime


class Logins:
    """The trail of one sandbox; safe to read from any thread."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.access = Access()
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: list[LoginFailure] = []
        self._counted: list[datetime] = []
        self._locked_until: datetime | None = None

    @property
    def failures(self) -> list[LoginFailure]:
        """Every refused login, oldest first."""
        with self._lock:
            return list(self._failures)

    @property
    def reasons(self) -> list[str]:
        """Why each login was refused, oldest first."""
        return [failure.reason for failure in self.failures]

    @property
    def nonces_reused(self) -> int:
        """How often a nonce came a second time with its timestamp."""
        return self.reasons.count("NonceUsed")

    @property
    def locked(self) -> bool:
        """Whether the user is locked now, for either way to authenticate."""
        with self._lock:
            return self._locked_until is not None and self._clock() < self._locked_until

    @property
    def role_open(self) -> bool:
        """Whether user and role may log in at all."""
        return self.access.user_active and self.access.role_may_log_in

    def fail(self, reason: str, *, counts: bool) -> None:
        """Note a refused login; one that `counts` brings the lock nearer.

        Nothing says that a good login clears the count, so only time does.
        """
        now = self._clock()
        with self._lock:
            self._failures.append(LoginFailure(reason, now))
            if not counts:
                return
            self._counted = [at for at in self._counted if now - at < _LOCK] + [now]
            if len(self._counted) >= _LOCKING_FAILURES:
                self._locked_until = now + _LOCK


def invalid_login(headers: tuple[tuple[str, str], ...] = ()) -> Refusal:
    """Return the 401 that tells nothing."""
    detail = ErrorDetail(
        "Invalid login attempt. For more details, see the Login Audit Trail in NetSuite.",
        "INVALID_LOGIN",
    )
    return Refusal(401, [detail], headers)
