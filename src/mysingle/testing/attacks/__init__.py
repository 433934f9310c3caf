"""Attacks on the authentication of a service, over real connections: a table, and what runs it."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.testing.attacks._attack import Attack, Expected, Need, StartAttack
    from mysingle.testing.attacks._service import AttackError, Launcher
    from mysingle.testing.attacks._suite import ATTACKS, START_ATTACKS, AttackedService, Case

__all__ = [
    "ATTACKS",
    "START_ATTACKS",
    "Attack",
    "AttackError",
    "AttackedService",
    "Case",
    "Expected",
    "Launcher",
    "Need",
    "StartAttack",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "ATTACKS": "._suite",
        "START_ATTACKS": "._suite",
        "Attack": "._attack",
        "AttackError": "._service",
        "AttackedService": "._suite",
        "Case": "._suite",
        "Expected": "._attack",
        "Launcher": "._service",
        "Need": "._attack",
        "StartAttack": "._attack",
    },
    extra="testing",
)
