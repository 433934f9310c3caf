"""Who may send tasks: a signature over everything that a message makes a worker do."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kombu.exceptions import EncodeError
from kombu.utils.json import dumps

from mysingle._kernel.call_identity import key_for
from mysingle._kernel.errors import UnauthenticatedError
from mysingle._kernel.settings import CommonSettings, SettingsError

__all__ = ["Errand", "Seal", "not_sent_by_us", "seal_from_settings"]


class Errand(NamedTuple):
    """What a message makes a worker do: a task with its arguments, and what follows it."""

    task: str
    task_id: str
    args: Sequence[Any] | None
    kwargs: Mapping[str, Any] | None
    followers: tuple[Any, ...]

    @property
    def text(self) -> str:
        """
        The same text before it is sent and after it has come: JSON makes lists of tuples, and texts of keys.

        Raises:
            EncodeError: a value that is not JSON.
        """
        followers = [follower or None for follower in self.followers]
        values = [self.task, self.task_id, list(self.args or ()), dict(self.kwargs or {}), followers]
        try:
            return str(dumps(values))  # type: ignore[no-untyped-call]  # kombu has no types here
        except (TypeError, ValueError, RecursionError) as error:
            raise EncodeError(str(error)) from error


class Seal:
    """
    Signs errands and verifies them, with keys that only this service has.

    Without keys nothing is verified; whether the user in a message is believed then is `believes_users`.
    A signature has no age: who can write to the broker can repeat a task that was sent before, and make no new one.
    """

    def __init__(self, service_name: str, secrets: Sequence[bytes], *, believes_users: bool) -> None:
        self._keys = tuple(key_for(service_name, secret) for secret in secrets)
        self.believes_users = believes_users

    def sign(self, errand: Errand, context: str) -> str:
        """Return the signature of an errand and of the context that it is sent with; empty without keys."""
        return _mac(self._keys[0], errand, context) if self._keys else ""

    def verify(self, errand: Errand, context: str, signature: str) -> None:
        """
        Refuse an errand that this service has not sent.

        Raises:
            UnauthenticatedError: there is no signature, or it is another's.
        """
        given = signature.encode("utf-8", "replace")
        if self._keys and not any(
            hmac.compare_digest(_mac(key, errand, context).encode(), given) for key in self._keys
        ):
            raise not_sent_by_us(errand.task)


def not_sent_by_us(task_name: str) -> UnauthenticatedError:
    """Return the error of a message that somebody else has sent."""
    return UnauthenticatedError(
        f"The task {task_name} was not sent by this service: its signature is missing or another's.",
        reason="TASK_SIGNATURE_INVALID",
    )


def seal_from_settings(settings: CommonSettings, service_name: str) -> Seal:
    """
    Return the seal of a service; the same rules as for calls over gRPC.

    Raises:
        SettingsError: production rules, and neither keys nor the word that the network is trusted.
    """
    if settings.GRPC_TRUST == "network":
        return Seal(service_name, (), believes_users=True)
    secrets = [key.get_secret_value().encode() for key in settings.GRPC_SERVICE_KEYS]
    if secrets or settings.is_relaxed:
        return Seal(service_name, secrets, believes_users=True)
    if settings.is_environment_explicit:
        raise SettingsError(["background tasks need GRPC_SERVICE_KEYS, which signs them, or GRPC_TRUST=network"])
    return Seal(service_name, (), believes_users=False)


def _mac(key: bytes, errand: Errand, context: str) -> str:
    message = f"mysingle task v1\n{len(context)}\n{context}\n{errand.text}"
    return hmac.new(key, message.encode(), hashlib.sha256).hexdigest()
