"""How a service knows that identity headers come from the gateway: one class for each kind of proof."""

import hmac
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple, NoReturn, Protocol

from mysingle._kernel.asgi import Scope
from mysingle._kernel.nonces import NonceMemory
from mysingle.auth._headers import IDENTITY_NAMES, NONCE, SIGNATURE, TIMESTAMP, IdentityHeaders
from mysingle.auth.errors import AuthReason, unauthenticated

__all__ = ["AuthEvidence", "CidrProof", "ConstantProof", "HmacProof", "Proof", "SecretProof", "canonical", "sign"]

_TIMESTAMP_FORM = re.compile(rb"[0-9]{1,64}")
_NONCE_FORM = re.compile(rb"[A-Za-z0-9._~+/=-]{8,64}")
_VERSION = b"v1"
_SIGNED = IDENTITY_NAMES | {SIGNATURE, TIMESTAMP, NONCE}
"""Where one of these occurs twice, nobody can say what was signed."""


class AuthEvidence(NamedTuple):
    """
    Why a caller is believed, for the audit: `request.state.auth`.

    Args:
        method: "gateway", "token" or "bypass".
        proof: the kind of proof: jwt, hmac, secret, mtls, cidr, network, none; None without one.
        key_id: which key has proved it: the `kid` of a token, or the place in the list of keys, from 1.
    """

    method: str
    proof: str | None = None
    key_id: str | None = None


class Proof(Protocol):
    """One kind of evidence that a request comes from the gateway."""

    def check(self, scope: Scope, headers: IdentityHeaders) -> AuthEvidence | None:
        """
        Return the evidence, or None when the request carries nothing of this kind.

        Raises:
            UnauthenticatedError: GATEWAY_PROOF_INVALID, _EXPIRED or _REPLAYED: it carries something that is wrong.
        """


class ConstantProof:
    """The operator's word: `mtls`, `network`, or `none` in a relaxed environment."""

    def __init__(self, name: str) -> None:
        self._evidence = AuthEvidence("gateway", name)

    def check(self, scope: Scope, headers: IdentityHeaders) -> AuthEvidence | None:
        """Return the same evidence for every request."""
        return self._evidence


class CidrProof:
    """The address of the connection is one of the gateway's."""

    def __init__(self, networks: Iterable[IPv4Network | IPv6Network]) -> None:
        self._contains = lru_cache(maxsize=1024)(self._is_inside)
        self._networks = tuple(networks)
        self._evidence = AuthEvidence("gateway", "cidr")

    def check(self, scope: Scope, headers: IdentityHeaders) -> AuthEvidence | None:
        """Look at the connection; another address may still bring another proof."""
        client = scope.get("client")
        return self._evidence if client and self._contains(str(client[0])) else None

    def _is_inside(self, host: str) -> bool:
        try:
            address = _unmapped(ip_address(host))
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return 10.0.3.4 for the `::ffff:10.0.3.4` that a dual-stack socket shows."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


class SecretProof:
    """A header holds a secret that only the gateway knows."""

    def __init__(self, header: bytes, secrets: Iterable[bytes]) -> None:
        self._header = header
        self._secrets = tuple(secrets)

    def check(self, scope: Scope, headers: IdentityHeaders) -> AuthEvidence | None:
        """Compare with every secret, in a time that tells nothing."""
        given = headers.raw.get(self._header)
        if given is None:
            return None
        matches = [hmac.compare_digest(given, secret) for secret in self._secrets]
        if self._header in headers.repeated or not any(matches):
            _refuse()
        return AuthEvidence("gateway", "secret", str(matches.index(True) + 1))


class HmacProof:
    """
    The gateway has signed these identity headers, for this service, just now.

    Args:
        keys: every one of them is tried, so that they can be rotated.
        service_name: as the gateway spells it; a signature for another service is none.
        max_skew_seconds: how old a signature may be, or how far ahead its clock.
        memory: how many signatures are remembered, so that each counts once.
        clock: Unix time.
    """

    def __init__(
        self,
        keys: Iterable[bytes],
        *,
        service_name: str,
        max_skew_seconds: int,
        memory: int,
        clock: Callable[[], float],
    ) -> None:
        self._keys = tuple((key, AuthEvidence("gateway", "hmac", str(place))) for place, key in enumerate(keys, 1))
        self._service_name = service_name.encode()
        self._max_skew_seconds = max_skew_seconds
        self._clock = clock
        self._nonces = NonceMemory(size=memory, window_seconds=max_skew_seconds)

    def check(self, scope: Scope, headers: IdentityHeaders) -> AuthEvidence | None:
        """Judge the time, then the signature, then whether it is the first of its kind."""
        get = headers.raw.get
        signature, timestamp, nonce = get(SIGNATURE), get(TIMESTAMP), get(NONCE)
        if signature is None and timestamp is None and nonce is None:
            return None
        if signature is None or timestamp is None or nonce is None:
            _refuse()
        if headers.repeated and not _SIGNED.isdisjoint(headers.repeated):
            _refuse()
        if not _TIMESTAMP_FORM.fullmatch(timestamp) or not _NONCE_FORM.fullmatch(nonce):
            _refuse()
        now, second = int(self._clock()), int(timestamp)
        if abs(now - second) > self._max_skew_seconds or self._nonces.has_forgotten(second):
            raise unauthenticated(AuthReason.GATEWAY_PROOF_EXPIRED, "The gateway signed this request too long ago.")
        message = canonical(
            timestamp=timestamp,
            nonce=nonce,
            service_name=self._service_name,
            method=scope.get("method", "GET").encode(),  # a WebSocket begins with a GET
            identity=headers.values,
        )
        evidence = self._signer(message, signature)
        if not self._nonces.add(nonce, second, now):
            raise unauthenticated(AuthReason.GATEWAY_PROOF_REPLAYED, "This request was here before.")
        return evidence

    def _signer(self, message: bytes, signature: bytes) -> AuthEvidence:
        signers = [evidence for key, evidence in self._keys if hmac.compare_digest(sign(key, message), signature)]
        return signers[0] if signers else _refuse()


def canonical(
    *, timestamp: bytes, nonce: bytes, service_name: bytes, method: bytes, identity: Iterable[bytes | None]
) -> bytes:
    """Return what the gateway signs: twelve lines of raw bytes; an absent identity header is an empty line."""
    return b"\n".join((_VERSION, timestamp, nonce, service_name, method, *[value or b"" for value in identity]))


def sign(key: bytes, message: bytes) -> bytes:
    """Return the value of `X-Gateway-Signature` for a canonical message."""
    return b"v1=" + hmac.digest(key, message, "sha256").hex().encode()


def _refuse() -> NoReturn:
    raise unauthenticated(AuthReason.GATEWAY_PROOF_INVALID, "The proof of the gateway is not valid.")
