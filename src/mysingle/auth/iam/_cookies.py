"""The cookies of a browser session: their names, their attributes, and how they are read and written."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mysingle._kernel.settings import CommonSettings

__all__ = ["Cookies", "cookie_value"]

_MAX_COOKIE_BYTES = 8 * 1024
_QUOTES = b'" \t'


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookies:
    """
    The cookies of one service.

    Over https the names begin with `__Host-`, so that no other host of the domain can set them; `csrf` is the one that
    scripts may read. Plain names are for development over http, and for older clients.
    """

    access: str
    refresh: str
    csrf: str
    is_secure: bool

    @classmethod
    def from_settings(cls, settings: CommonSettings) -> "Cookies":
        """Choose the names: plain http only where the rules are relaxed and no https address is configured."""
        base = settings.PUBLIC_BASE_URL
        is_secure = not settings.is_relaxed or (base is not None and base.scheme == "https")
        if settings.AUTH_COMPAT:
            return cls(access="access_token", refresh="refresh_token", csrf="csrf", is_secure=is_secure)
        prefix = "__Host-" if is_secure else ""
        return cls(access=f"{prefix}access", refresh=f"{prefix}refresh", csrf=f"{prefix}csrf", is_secure=is_secure)

    def issue(
        self, *, access: str, access_seconds: int, refresh: str, refresh_seconds: int, csrf: str
    ) -> tuple[str, ...]:
        """Return the `Set-Cookie` values of a new session, or of one that was refreshed."""
        return (
            self._line(self.access, access, access_seconds, "HttpOnly; SameSite=Lax"),
            self._line(self.refresh, refresh, refresh_seconds, "HttpOnly; SameSite=Strict"),
            self._line(self.csrf, csrf, refresh_seconds, "SameSite=Strict"),
        )

    def clear(self) -> tuple[str, ...]:
        """Return the `Set-Cookie` values that end a session in the browser."""
        return (
            self._line(self.access, "", 0, "HttpOnly; SameSite=Lax"),
            self._line(self.refresh, "", 0, "HttpOnly; SameSite=Strict"),
            self._line(self.csrf, "", 0, "SameSite=Strict"),
        )

    def _line(self, name: str, value: str, max_age: int, attributes: str) -> str:
        secure = "; Secure" if self.is_secure else ""
        return f"{name}={value}; Path=/; Max-Age={max_age}{secure}; {attributes}"


def cookie_value(headers: Mapping[bytes, bytes], name: str) -> str | None:
    """
    Return the value of a cookie; None when it is absent or sent twice.

    Of two cookies with one name nobody can say which is ours: a neighbour on a parent domain may have set the other.
    """
    raw = headers.get(b"cookie", b"")
    if len(raw) > _MAX_COOKIE_BYTES:
        return None
    values = [value for key, value in _pairs(raw) if key == name.encode()]
    if len(values) != 1 or not values[0].isascii():
        return None
    return values[0].decode("ascii") or None


def _pairs(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    for part in raw.split(b";"):
        name, separator, value = part.partition(b"=")
        if separator:
            yield name.strip(b" \t"), value.strip(_QUOTES)
