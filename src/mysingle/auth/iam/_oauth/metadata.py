"""Where a provider's endpoints are: its discovery document (OpenID Connect Discovery 1.0), believed for an hour."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

from mysingle._kernel.errors import MySingleError
from mysingle._kernel.guard import is_safe_url
from mysingle.auth._keys import JwksClient, VerificationKey
from mysingle.auth.errors import AuthUnavailableError
from mysingle.auth.iam._oauth.client import Document, ProviderClient
from mysingle.auth.iam._oauth.values import provider_failed

__all__ = ["Metadata", "MetadataSource"]

ALGORITHMS = ("RS256", "ES256", "EdDSA")
"""What an id token may be signed with; nothing symmetric, because a client secret is no key."""

_FRESH_SECONDS = 3_600.0
_STALE_SECONDS = 86_400.0
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a provider publishes about itself. `takes_secret_in_form` says how it wants the client's secret."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str | None
    jwks_uri: str
    algorithms: tuple[str, ...]
    takes_secret_in_form: bool


class MetadataSource:
    """
    The metadata and the keys of one issuer, fetched when first needed.

    A provider that is away is believed for a day as it was last seen.
    """

    def __init__(self, issuer: str, client: ProviderClient, timeout_seconds: float) -> None:
        self._issuer = issuer.rstrip("/")
        self._client = client
        self._timeout_seconds = timeout_seconds
        self._known: Metadata | None = None
        self._fetched_at = self._failed_at = float("-inf")
        self._keys: tuple[str, JwksClient] | None = None
        self._fetching = asyncio.Lock()

    async def get(self) -> Metadata:
        """
        Return the metadata.

        Raises:
            MySingleError: OAUTH_PROVIDER_ERROR.
        """
        async with self._fetching:
            age = monotonic() - self._fetched_at
            if self._known is None or age > _STALE_SECONDS:
                return await self._fetch()
            if age > _FRESH_SECONDS:
                with contextlib.suppress(MySingleError):
                    return await self._fetch()
            return self._known

    async def key(self, kid: str) -> VerificationKey | None:
        """
        Return the provider's public key of that id, None when it has none.

        Raises:
            MySingleError: OAUTH_PROVIDER_ERROR, there are no keys at the moment.
        """
        uri = (await self.get()).jwks_uri
        if self._keys is None or self._keys[0] != uri:
            self._keys = uri, JwksClient(uri, algorithms=ALGORITHMS, timeout_seconds=self._timeout_seconds)
        try:
            return await self._keys[1].key(kid)
        except AuthUnavailableError as error:
            raise provider_failed("The provider's keys cannot be read.") from error

    async def _fetch(self) -> Metadata:
        """Ask, but not for those who waited while somebody else asked in vain."""
        if monotonic() - self._failed_at < _PAUSE_SECONDS:
            raise provider_failed()
        try:
            document = await self._client.get(f"{self._issuer}/.well-known/openid-configuration")
            self._known = _read(document, self._issuer)
        except MySingleError:
            self._failed_at = monotonic()
            raise
        self._fetched_at = monotonic()
        return self._known


def _read(document: Document, issuer: str) -> Metadata:
    stated = document.get("issuer")
    if not isinstance(stated, str) or stated.rstrip("/") != issuer:
        raise provider_failed(details={"problem": "the discovery document is of another issuer"})
    offered = document.get("id_token_signing_alg_values_supported", ["RS256"])
    algorithms = tuple(name for name in ALGORITHMS if isinstance(offered, list) and name in offered)
    userinfo = document.get("userinfo_endpoint")
    return Metadata(
        issuer=stated,
        authorization_endpoint=_address(document, "authorization_endpoint"),
        token_endpoint=_address(document, "token_endpoint"),
        userinfo_endpoint=None if userinfo is None else _address(document, "userinfo_endpoint"),
        jwks_uri=_address(document, "jwks_uri"),
        algorithms=algorithms,
        takes_secret_in_form=_takes_secret_in_form(document),
    )


def _address(document: Mapping[str, object], name: str) -> str:
    address = document.get(name)
    try:
        if isinstance(address, str) and is_safe_url(address):
            return address
    except ValueError:  # no address at all
        pass
    raise provider_failed(details={"problem": f"the discovery document has no safe {name}"})


def _takes_secret_in_form(document: Mapping[str, object]) -> bool:
    """Tell whether the secret goes into the form: one that says nothing takes basic (Discovery 1.0, section 3)."""
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return isinstance(methods, list) and "client_secret_post" in methods
