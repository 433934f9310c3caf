"""Where other services are: `<SERVICE>_GRPC_HOST` and `<SERVICE>_GRPC_PORT`, from the environment or `.env`."""

import os
from functools import lru_cache

from dotenv import dotenv_values

__all__ = ["discovered_host", "discovered_port", "discovered_targets", "variable_names"]

_ENV_FILE = ".env"


@lru_cache(maxsize=1024)
def variable_names(service_name: str) -> tuple[str, ...]:
    """Return the variables that name a service's host, the first one that is set wins."""
    name = service_name.upper().replace("-", "_")
    short = name.removesuffix("_SERVICE")
    names = (f"{name}_GRPC_HOST", f"{short}_GRPC_HOST", f"{name}_HOST", f"{short}_HOST")
    return tuple(dict.fromkeys(names))


def discovered_host(service_name: str) -> str | None:
    """Return the host, `host:port` or target of a service; None when nobody says."""
    return _first(variable_names(service_name))


def discovered_port(service_name: str) -> str | None:
    """Return the port of a service, as text; None when nobody says."""
    return _first(_port_names(service_name))


def discovered_targets() -> dict[str, tuple[str, str | None]]:
    """Return every `<SERVICE>_GRPC_HOST` that somebody has set, with the port beside it, by its name."""
    given = {**_file_values(*_stamp()), **os.environ}
    hosts = {name: value.strip() for name, value in given.items() if name.endswith("_GRPC_HOST") and value}
    return {name: (host, given.get(name.removesuffix("HOST") + "PORT") or None) for name, host in sorted(hosts.items())}


@lru_cache(maxsize=1024)
def _port_names(service_name: str) -> tuple[str, ...]:
    names = variable_names(service_name)
    return tuple(name.removesuffix("_HOST") + "_PORT" for name in names if "_GRPC_" in name)


def _first(names: tuple[str, ...]) -> str | None:
    """Return the first name that is set; for each name the environment comes before the file."""
    environment, file = os.environ, _file_values(*_stamp())
    for name in names:
        value = environment.get(name) or file.get(name)
        if value:
            return value.strip()
    return None


def _stamp() -> tuple[int, int]:
    try:
        found = os.stat(_ENV_FILE)  # noqa: PTH116  # it runs for every client object, and a Path costs as much again
    except OSError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns


@lru_cache(maxsize=4)
def _file_values(inode: int, _changed: int) -> dict[str, str | None]:
    return dict(dotenv_values(_ENV_FILE)) if inode else {}
