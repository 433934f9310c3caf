"""The testing kit: be somebody, run a service in process, sign people up and in, attack, check strategies."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.testing.app import running
    from mysingle.testing.dsl import StrategyCase, check_strategy, strategy_cases
    from mysingle.testing.fakes import FakeService
    from mysingle.testing.iam import Account, RunningIam, SignedIn, running_iam
    from mysingle.testing.identity import ALICE, BOB, BearerToken, GatewayIdentity, as_user, make_user
    from mysingle.testing.mail import Mail, Mailbox, mail_server
    from mysingle.testing.rpc import Faults, GrpcPair, grpc_pair
    from mysingle.testing.sockets import TestSocket, WebSocketRefusedError, websocket
    from mysingle.testing.tasks import running_worker
    from mysingle.testing.tokens import TokenSigner

__all__ = [
    "ALICE",
    "BOB",
    "Account",
    "BearerToken",
    "FakeService",
    "Faults",
    "GatewayIdentity",
    "GrpcPair",
    "Mail",
    "Mailbox",
    "RunningIam",
    "SignedIn",
    "StrategyCase",
    "TestSocket",
    "TokenSigner",
    "WebSocketRefusedError",
    "as_user",
    "check_strategy",
    "grpc_pair",
    "mail_server",
    "make_user",
    "running",
    "running_iam",
    "running_worker",
    "strategy_cases",
    "websocket",
]

_MODULES = {
    ".app": "running",
    ".dsl": "StrategyCase check_strategy strategy_cases",
    ".fakes": "FakeService",
    ".iam": "Account RunningIam SignedIn running_iam",
    ".identity": "ALICE BOB BearerToken GatewayIdentity as_user make_user",
    ".mail": "Mail Mailbox mail_server",
    ".rpc": "Faults GrpcPair grpc_pair",
    ".tasks": "running_worker",
    ".tokens": "TokenSigner",
    ".sockets": "TestSocket WebSocketRefusedError websocket",
}

__getattr__, __dir__ = lazy_exports(
    __name__,
    {name: module for module, names in _MODULES.items() for name in names.split()},
    extra="testing",
)
