"""The gateway of the platform: Envoy, configured from the services of the stack."""

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mysingle.tooling.devplatform._ports import HOST
from mysingle.tooling.devplatform.errors import PlatformError
from mysingle.tooling.devplatform.stack import Service
from mysingle.tooling.gateway import GatewayFileError, gateway_config

__all__ = ["HMAC_VARIABLE", "envoy_config", "routes"]

HMAC_VARIABLE = "GATEWAY_HMAC_KEY"

_NOBODYS_KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEyy7sF4CcwwnF4RBSKecZPUxDRzTD
JTpVDFLLFd4tlSqrwyIDU7X0dlD4AKP0EJ/O0yIVVLc2X5Gf+cShDhSauw==
-----END PUBLIC KEY-----
"""  # its private half was thrown away: without a service that issues tokens, none is verified
_JWKS_PATH = "/.well-known/jwks.json"


def envoy_config(services: Sequence[Service], ports: Mapping[str, int], port: int, where: str) -> dict[str, Any]:
    """
    Return the configuration of Envoy for what the services have behind the gateway.

    Tokens are verified with the keys of the service that is marked `iam`; when there is none nobody could have a
    token, and every path is open to callers without identity.

    Raises:
        PlatformError: the paths do not fit; the message names the service in `where`.
    """
    routed = [service for service in services if service.paths or service.public_paths]
    issuer = next((service for service in services if service.is_iam), None)
    _check_can_be_open(() if issuer else routed, where)
    url = f"http://{HOST}:{port}"
    document = {
        "issuer": url,
        **_keys(ports[issuer.name] if issuer else None),
        "listen": f"{HOST}:{port}",
        "services": [_entry(service, ports[service.name], has_issuer=issuer is not None) for service in routed],
    }
    with tempfile.TemporaryDirectory(prefix="mysingle-") as folder:
        file = Path(folder, "gateway.json")
        file.write_text(json.dumps(document), encoding="utf-8")
        try:
            return gateway_config(file, "envoy")
        except GatewayFileError as error:
            raise PlatformError(f"{where}: {_in_words_of_the_stack(str(error), file, routed)}") from error


def routes(services: Sequence[Service]) -> tuple[str, ...]:
    """Return what is behind the gateway, one line for each service with paths."""
    return tuple(
        f"{', '.join((*service.paths, *service.public_paths))} -> {service.name}"
        for service in services
        if service.paths or service.public_paths
    )


def _keys(iam_port: int | None) -> dict[str, Any]:
    if iam_port is not None:
        return {"jwks_url": f"http://{HOST}:{iam_port}{_JWKS_PATH}"}
    return {"keys": [{"kid": "nobody", "algorithm": "ES256", "pem": _NOBODYS_KEY}]}


def _check_can_be_open(services: Sequence[Service], where: str) -> None:
    for service in services:
        if "/" in service.paths:
            raise PlatformError(
                f"{where}: services.{service.name}.paths: '/' needs a token, and no service issues one; "
                "mark the one that does with iam = true, or give paths such as /items"
            )


def _entry(service: Service, port: int, *, has_issuer: bool) -> dict[str, Any]:
    opened = () if has_issuer else tuple(f"{path}/*" for path in service.paths)
    return {
        "name": service.name,
        "url": f"http://{HOST}:{port}",
        "paths": list(service.paths if has_issuer else ()),
        "public_paths": [*dict.fromkeys((*opened, *service.public_paths))],
    }


def _in_words_of_the_stack(text: str, file: Path, services: Sequence[Service]) -> str:
    text = re.sub(rf"^{re.escape(str(file))}(:\d+)?: ", "", text)
    return re.sub(r"services\[(\d+)\]", lambda match: f"services.{services[int(match[1])].name}", text)
