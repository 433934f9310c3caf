"""What a service's identity rules mean for its start: refuse, complain, or say nothing."""

from dataclasses import dataclass

from mysingle._kernel.settings import CommonSettings
from mysingle.auth._policy import bypass_is_enabled, gateway_problem

__all__ = ["StartupFindings", "check_startup"]


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
    problem = gateway_problem(settings) if is_gateway_downstream else None
    is_trust_weak = is_gateway_downstream and problem is None
    is_bypass_on = bypass_is_enabled(settings)
    warnings = []
    if is_trust_weak:
        warnings.append(
            f"identity headers are believed without a proof (GATEWAY_TRUST={','.join(settings.GATEWAY_TRUST)})"
        )
    if is_bypass_on:
        warnings.append("the authentication bypass is on: every request without credentials is the test user")
    return StartupFindings(
        problems=(problem,) if problem else (),
        warnings=tuple(warnings),
        is_bypass_refused=settings.MYSINGLE_AUTH_BYPASS and not is_bypass_on,
        is_trust_weak=is_trust_weak,
    )
