"""`mysingle keys`: what a service that is called has to know of its caller."""

import argparse
import sys

__all__ = ["add_arguments", "execute"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("callee", help="the service that is called, such as market-data-service")
    parser.add_argument("--caller", help="the service that calls; SERVICE_NAME when not given")


def execute(arguments: argparse.Namespace) -> int:
    """Print one pair for `GRPC_CALLER_KEYS` of the callee, made from GRPC_SERVICE_KEYS of the caller."""
    from mysingle._kernel.call_identity import key_for
    from mysingle._kernel.settings import get_settings

    settings = get_settings()
    caller = arguments.caller or settings.SERVICE_NAME
    if not caller or not settings.GRPC_SERVICE_KEYS:
        sys.stderr.write("error: set GRPC_SERVICE_KEYS to the secret of the caller, and name it with --caller\n")
        return 2
    key = key_for(arguments.callee, settings.GRPC_SERVICE_KEYS[0].get_secret_value().encode())
    sys.stdout.write(f"{caller}:{key.hex()}\n")
    return 0
