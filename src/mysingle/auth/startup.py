"""What a service's identity rules mean for its start: refuse, complain, or say nothing."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from mysingle._kernel import guard
from mysingle._kernel.extras import MissingExtraError, require
from mysingle._kernel.settings import CommonSettings
from mysingle.auth._policy import GatewayTrust, bypass_is_enabled, gateway_trust

__all__ = ["StartupFindings", "check_startup"]

_WEAK = "identity headers are believed without a proof (GATEWAY_TRUST={})"
_MTLS = (
    "GATEWAY_TRUST=mtls: this app cannot see certificates, so its server must demand one of every client "
    "(uvicorn: --ssl-cert-reqs 2 --ssl-ca-certs <the gateway's authority>)"
)
_BYPASS = "the authentication bypass is on: every request without credentials is the test user"
_BYPASS_IN_KUBERNETES = "the authentication bypass is on in a Kubernetes cluster"
_BYPASS_IN_EARNEST = "the authentication bypass is on beside a real AUTH_SECRET_KEY and CORS_ORIGINS of other machines"
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class StartupFindings:
    """
    What start-up has to say about identity.

    `problems` forbid the start under production rules. `is_bypass_refused`: the bypass was asked for and stays off.
    `is_trust_weak`: identity headers are believed without a proof.
    """

    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    is_bypass_refused: bool
    is_trust_weak: bool


def check_startup(settings: CommonSettings, *, is_gateway_downstream: bool) -> StartupFindings:
    """Judge the settings of one service. IAM needs no gateway proof, because it never reads identity headers."""
    trust = gateway_trust(settings) if is_gateway_downstream else GatewayTrust((), ())
    is_bypass_on = bypass_is_enabled(settings)
    said = {
        _WEAK.format(",".join(settings.GATEWAY_TRUST)): trust.is_weak,
        _MTLS: "mtls" in trust.proofs,
        _BYPASS: is_bypass_on,
        _BYPASS_IN_KUBERNETES: is_bypass_on and settings.KUBERNETES_SERVICE_HOST is not None,
        _BYPASS_IN_EARNEST: is_bypass_on and _is_in_earnest(settings),
    }
    return StartupFindings(
        problems=(*trust.problems, *(_token_problems(settings) if "jwt" in trust.proofs else ())),
        warnings=tuple(warning for warning, applies in said.items() if applies),
        is_bypass_refused=settings.MYSINGLE_AUTH_BYPASS and not is_bypass_on,
        is_trust_weak=trust.is_weak,
    )


def _is_in_earnest(settings: CommonSettings) -> bool:
    """Tell whether these look like the settings of a system that people use."""
    secret = settings.AUTH_SECRET_KEY
    is_real = secret is not None and guard.is_usable(secret.get_secret_value().encode())
    return is_real and any(urlsplit(origin).hostname not in _LOCAL_HOSTS for origin in settings.CORS_ORIGINS)


def _token_problems(settings: CommonSettings) -> tuple[str, ...]:
    """Return why tokens could not be verified, before the first one comes."""
    try:
        require("auth", "GATEWAY_TRUST=jwt")
    except MissingExtraError as error:
        return (str(error),)
    if settings.IAM_PUBLIC_KEYS_FILE is None:
        return ()
    from mysingle.auth._keys import KeySetError, load_keys  # an optional part: other proofs need no token library

    try:
        load_keys(settings.IAM_PUBLIC_KEYS_FILE, guard.accepted_algorithms(settings))
    except KeySetError as error:
        return (f"IAM_PUBLIC_KEYS_FILE: {error}",)
    return ()
