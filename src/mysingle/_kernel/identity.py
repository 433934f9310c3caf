"""Who is calling: a frozen value, never a database document."""

from dataclasses import dataclass
from datetime import datetime

__all__ = ["AuthenticatedUser"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatedUser:
    """
    The caller of a request, as the gateway or the IAM service has established it.

    `id` is 24 lower-case hex digits, so it fits a MongoDB ObjectId; the kernel itself knows no database type.
    `auth_method` names the evidence: "gateway", "token" or "bypass".
    """

    id: str
    email: str | None = None
    full_name: str | None = None
    is_active: bool = True
    is_verified: bool = False
    is_superuser: bool = False
    roles: frozenset[str] = frozenset()
    session_id: str | None = None
    auth_method: str = "gateway"
    authenticated_at: datetime | None = None

    def has_role(self, *roles: str) -> bool:
        """Tell whether the user holds at least one of the roles."""
        return not self.roles.isdisjoint(roles)
