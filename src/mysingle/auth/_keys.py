"""The public keys that tokens are verified with: one algorithm each, from a file or from the IAM service."""

import asyncio
import ssl
from base64 import urlsafe_b64decode
from collections.abc import Callable, Collection, Iterable, Mapping
from contextvars import Context
from pathlib import Path
from time import monotonic
from typing import NamedTuple, Protocol

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from mysingle._kernel.guard import is_safe_url, is_usable
from mysingle._kernel.jwks import MAX_DOCUMENT_BYTES, NEW_NAMES, KeySetError, PublishedKey, published_keys
from mysingle._kernel.logging import get_logger
from mysingle._kernel.strict_json import read_object
from mysingle.auth.errors import AuthUnavailableError

__all__ = ["JwksClient", "KeyFile", "KeySet", "KeySetError", "KeySource", "VerificationKey", "load_keys"]

_RSA_BITS = range(2048, 8193)
_RELOAD_SECONDS = 30.0
_FRESH_SECONDS = 300.0
_STALE_SECONDS = 86_400.0
_COLD_RETRY_SECONDS = 1.0

log = get_logger("mysingle.auth")


class KeySource(Protocol):
    """Where a verifier finds its keys."""

    async def key(self, kid: str) -> "VerificationKey | None":
        """
        Return the key of that id, None when there is none.

        Raises:
            AuthUnavailableError: no keys are known at the moment.
        """


class VerificationKey(NamedTuple):
    """A key and the one algorithm that it may be used with."""

    kid: str
    algorithm: str
    key: Key

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Tell whether this key has signed the message."""
        algorithm = JWSRegistry.algorithms[NEW_NAMES.get(self.algorithm, self.algorithm)]
        return algorithm.verify(message, signature, self.key)


class KeySet:
    """
    Keys by id, all in memory.

    Raises:
        KeySetError: two keys have one id.
    """

    __slots__ = ("_keys",)

    def __init__(self, keys: Iterable[VerificationKey]) -> None:
        keys = tuple(keys)
        self._keys = {key.kid: key for key in keys}
        if len(self._keys) != len(keys):
            raise KeySetError("two keys have the same kid")

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, kid: str) -> VerificationKey | None:
        """Return the key of that id, None when there is none."""
        return self._keys.get(kid)

    async def key(self, kid: str) -> VerificationKey | None:
        """Return the key of that id: a key set is a `KeySource` that never changes."""
        return self._keys.get(kid)

    @classmethod
    def from_jwks(cls, document: Mapping[str, object], algorithms: Collection[str]) -> "KeySet":
        """
        Read a JWK set (RFC 7517 §5): keys for other purposes or algorithms are left out.

        Raises:
            KeySetError: it holds a private key, a symmetric one although HS256 is not accepted, or nothing usable.
        """
        made = (_read(published) for published in published_keys(document, algorithms))
        keys = cls(key for key in made if key is not None)
        if not keys:
            raise KeySetError(f"it has no key for {', '.join(algorithms) or 'any accepted algorithm'}")
        return keys


def _read(published: PublishedKey) -> VerificationKey | None:
    try:
        key = _import(published.members)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return VerificationKey(published.kid, published.algorithm, key) if key is not None else None


def _import(jwk: Mapping[str, object]) -> Key | None:
    """Import the members that make the key and no others; a key that is too weak is none."""
    match jwk["kty"]:
        case "EC":
            return ECKey.import_key(_texts(jwk, "kty", "crv", "x", "y"))
        case "OKP":
            return OKPKey.import_key(_texts(jwk, "kty", "crv", "x"))
        case "RSA":
            bits = int.from_bytes(_octets(jwk, "n")).bit_length()
            return RSAKey.import_key(_texts(jwk, "kty", "n", "e")) if bits in _RSA_BITS else None
        case _:
            return OctKey.import_key(_texts(jwk, "kty", "k")) if is_usable(_octets(jwk, "k")) else None


def _texts(jwk: Mapping[str, object], *names: str) -> dict[str, str | list[str]]:
    return {name: str(jwk[name]) for name in names}


def _octets(jwk: Mapping[str, object], name: str) -> bytes:
    text = str(jwk[name])
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class KeyFile:
    """
    The keys of a JWKS file, read again at most every 30 s when an unknown key is asked for.

    Making it reads the file, and a file that cannot be used leaves it without keys: `problem` says why.
    """

    def __init__(self, path: Path, *, algorithms: Collection[str], clock: Callable[[], float] = monotonic) -> None:
        self._path = path
        self._algorithms = tuple(algorithms)
        self._clock = clock
        self._keys: KeySet | None = None
        self.problem: str | None = None
        self._load()

    async def key(self, kid: str) -> VerificationKey | None:
        """
        Return the key of that id, None when the file has none.

        Raises:
            AuthUnavailableError: the file cannot be used.
        """
        found = self._keys.get(kid) if self._keys else None
        if found is None and self._clock() - self._read_at >= _RELOAD_SECONDS:
            self._load()  # a few hundred bytes of a local file, twice a minute at most
        if self._keys is None:
            raise AuthUnavailableError
        return found or self._keys.get(kid)

    def _load(self) -> None:
        """Read the file; what was read before stays when it has become unusable."""
        self._read_at = self._clock()
        try:
            self._keys, self.problem = load_keys(self._path, self._algorithms), None
        except KeySetError as error:
            self.problem = str(error)


def load_keys(path: Path, algorithms: Collection[str]) -> KeySet:
    """
    Read a JWKS file.

    Raises:
        KeySetError: why it cannot be used.
    """
    try:
        return KeySet.from_jwks(read_object(path.read_bytes()), algorithms)
    except OSError as error:
        raise KeySetError(f"the file cannot be read: {error.strerror}") from error
    except KeySetError:
        raise
    except ValueError as error:
        raise KeySetError("the file is no JSON object") from error


class JwksClient:
    """
    The keys that the IAM service publishes.

    They are fetched when first needed, fetched again in the background after 5 minutes, and used for up to 24 hours
    when the IAM service is away. An unknown key causes at most one fetch in 30 s; concurrent callers share a fetch.

    Args:
        url: where the JWK set is: https, or http on the loopback interface.
        algorithms: keys for others are left out.
        clock: seconds that never go back.
        timeout_seconds: for one whole fetch.

    Raises:
        ValueError: the address is none of those.
    """

    def __init__(
        self,
        url: str,
        *,
        algorithms: Collection[str],
        clock: Callable[[], float] = monotonic,
        timeout_seconds: float = 5.0,
    ) -> None:
        if not is_safe_url(url):
            raise ValueError("the JWK set must be behind https, or behind http on the loopback interface")
        self._url = url
        self._algorithms = tuple(name for name in algorithms if name != "HS256")  # nobody publishes a shared secret
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._keys: KeySet | None = None
        self._fetched_at = self._tried_at = float("-inf")
        self._fetch: asyncio.Task[None] | None = None
        self._tls: ssl.SSLContext | None = None

    async def key(self, kid: str) -> VerificationKey | None:
        """
        Return the key of that id, None when the IAM service does not publish it.

        Raises:
            AuthUnavailableError: no keys have been fetched within the last 24 hours, and none can be fetched now.
        """
        age = self._clock() - self._fetched_at
        if self._keys is None or age > _STALE_SECONDS:
            return (await self._first_keys()).get(kid)
        found = self._keys.get(kid)
        if found is None and self._may_fetch(_RELOAD_SECONDS):
            await self._refresh()
            return self._keys.get(kid)
        if age > _FRESH_SECONDS and self._may_fetch(_RELOAD_SECONDS):
            self._begin()
        return found

    async def _first_keys(self) -> KeySet:
        if self._may_fetch(_COLD_RETRY_SECONDS):
            await self._refresh()
        if self._keys is None or self._clock() - self._fetched_at > _STALE_SECONDS:
            raise AuthUnavailableError
        return self._keys

    def _may_fetch(self, pause_seconds: float) -> bool:
        """Tell whether a fetch is under way, which anybody may wait for, or may begin."""
        return self._running() is not None or self._clock() - self._tried_at >= pause_seconds

    def _running(self) -> asyncio.Task[None] | None:
        fetch = self._fetch
        is_running = fetch is not None and not fetch.done() and fetch.get_loop() is asyncio.get_running_loop()
        return fetch if is_running else None

    def _begin(self) -> asyncio.Task[None]:
        fetch = self._running()
        if fetch is None:
            self._tried_at = self._clock()
            fetch = self._fetch = asyncio.create_task(self._update(), context=Context())  # of no request
        return fetch

    async def _refresh(self) -> None:
        await asyncio.shield(self._begin())  # a caller that goes away takes the fetch from nobody else

    async def _update(self) -> None:
        """Fetch once; what was fetched before stays when that fails."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                body = await self._download()
            self._keys = KeySet.from_jwks(read_object(body), self._algorithms)
            self._fetched_at = self._clock()
        except (httpx.HTTPError, OSError, ValueError) as error:  # TimeoutError is an OSError
            said = str(error) if isinstance(error, KeySetError) else type(error).__name__  # never what was sent
            log.warning("auth.jwks.unavailable", url=self._url, error=said)

    async def _download(self) -> bytes:
        if self._tls is None:
            self._tls = await asyncio.to_thread(_tls_context, self._url)
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        async with (
            httpx.AsyncClient(verify=self._tls, trust_env=False, timeout=self._timeout_seconds) as client,
            client.stream("GET", self._url, headers=headers) as answer,
        ):
            if answer.status_code != httpx.codes.OK or "content-encoding" in answer.headers:
                raise KeySetError(f"status {answer.status_code}, and a plain 200 is needed")
            body = b""
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > MAX_DOCUMENT_BYTES:
                    raise KeySetError(f"more than {MAX_DOCUMENT_BYTES} bytes")
            return body


def _tls_context(url: str) -> ssl.SSLContext:
    """Return the authorities whose certificates count; http needs none, and reading them takes tens of milliseconds."""
    return httpx.create_ssl_context() if url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
