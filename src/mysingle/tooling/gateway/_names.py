"""What the gateway takes out of a request, what it puts in, and from which claims."""

from mysingle._kernel import propagation

__all__ = ["CLAIMS", "CLEARED", "SECRET_HEADER", "is_identity", "plain_name"]

SECRET_HEADER = "X-Gateway-Secret"  # noqa: S105  # the default of GATEWAY_SECRET_HEADER, a name and not a secret
"""Of the proof that is a plain secret; a client must not be able to try secrets through the gateway."""

_OF_PLUGINS = (
    "X-Consumer-Groups",
    "X-Authenticated-Groups",
    "X-Authenticated-UserId",
    "X-Authenticated-Scope",
    "X-Userinfo",
    "X-ID-Token",
    "X-Access-Token",
)
CLEARED = (*propagation.IDENTITY_HEADERS, *propagation.GATEWAY_HEADERS, SECRET_HEADER, *_OF_PLUGINS)
"""Every header that speaks of a caller, or that a service could take for the gateway's word."""

CLAIMS: dict[str, str] = dict(
    zip(
        propagation.IDENTITY_HEADERS,
        ("sub", "email", "email_verified", "active", "su", "roles", "sid"),
        strict=True,
    )
)
"""Identity header → claim of the access token that fills it."""


def plain_name(header: str) -> str:
    """Return a header's name as servers compare it: lower case, and `_` as `-`, for look-alikes."""
    return header.strip().lower().replace("_", "-")


_IDENTITY = frozenset(
    plain_name(header) for header in (*propagation.IDENTITY_HEADERS, *propagation.GATEWAY_HEADERS, SECRET_HEADER)
)


def is_identity(header: str) -> bool:
    """Tell whether a header says who is calling, or proves it."""
    return plain_name(header) in _IDENTITY
