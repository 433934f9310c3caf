"""The table of rules: what is found, what to do instead, where it is looser. Everything else is derived from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["FAMILIES", "RULES", "Level", "Rule"]

Level = Literal["error", "note"]

FAMILIES: Final[Mapping[str, str]] = {
    "MS0": "the check itself",
    "MS1": "calls between services",
    "MS2": "identity",
    "MS3": "gRPC",
    "MS4": "addresses",
    "MS5": "Redis",
    "MS6": "the event loop",
    "MS7": "the service",
    "MS8": "secrets and unsafe code",
    "MS9": "version 1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """
    One rule.

    `message` may hold `{about}`, which the finding fills. `why` and `instead` explain it. `in_tests` says whether tests
    have to keep it too. A `note` does not make the check fail.
    """

    code: str
    title: str
    message: str
    why: str
    instead: str
    in_tests: bool = False
    has_fix: bool = False
    level: Level = "error"

    @property
    def family(self) -> str:
        """The subject."""
        return FAMILIES[self.code[:3]]

    @property
    def page(self) -> str:
        """Where the documentation explains it."""
        return f"docs/reference/check.md#{self.code.lower()}"


_RULES = (
    Rule(
        code="MS001",
        title="The file is not Python",
        message="the file cannot be parsed: {about}",
        why="Nothing in it can be checked; the other files still are.",
        instead="Correct the syntax.",
        in_tests=True,
    ),
    Rule(
        code="MS002",
        title="The file cannot be read",
        message="{about}",
        why="Nothing in it can be checked; the other files still are.",
        instead="Give the file a readable encoding and permissions, or exclude it.",
        in_tests=True,
    ),
    Rule(
        code="MS003",
        title="A suppression without a reason",
        message="`noqa: {about}` does not say why",
        why="Whoever reads the line later cannot know whether the reason still holds.",
        instead="Write `# noqa: MS101 the reason`.",
        in_tests=True,
        level="note",
    ),
    Rule(
        code="MS004",
        title="A suppression that suppresses nothing",
        message="`noqa: {about}` suppresses nothing; remove it",
        why="It would hide the next mistake on this line.",
        instead="Remove it.",
        in_tests=True,
        has_fix=True,
    ),
    Rule(
        code="MS101",
        title="A direct HTTP call to another service",
        message="direct HTTP call to another service ({about}); use a `BaseGrpcClient`, or go through the gateway",
        why="It skips the gateway, and carries no identity, deadline or trace.",
        instead="Call it over gRPC with a subclass of `BaseGrpcClient`; go through the gateway for routes of users.",
    ),
    Rule(
        code="MS102",
        title="An HTTP client for another service",
        message="HTTP client for another service ({about}); use a `BaseGrpcClient`, or go through the gateway",
        why="Every call of this client is a direct HTTP call between services.",
        instead="Write a subclass of `BaseGrpcClient`.",
    ),
    Rule(
        code="MS201",
        title="A token decoded by hand",
        message="`{about}` handles a token by hand; use `get_current_active_verified_user(request)` of `mysingle.auth`",
        why="The gateway has verified the token; a second place that does forgets keys, claims or revocation.",
        instead="Ask `mysingle.auth` who is calling.",
    ),
    Rule(
        code="MS202",
        title="The Authorization header read by hand",
        message="{about} reads credentials by hand; use `get_current_active_verified_user(request)` of `mysingle.auth`",
        why="What a request says about itself counts only after the gateway has verified it.",
        instead="Ask `mysingle.auth` who is calling.",
    ),
    Rule(
        code="MS203",
        title="An identity header read by hand",
        message="{about} reads the identity header by hand; use `get_current_active_verified_user(request)`",
        why="An identity header counts only with a proof that it comes from the gateway.",
        instead="Ask `mysingle.auth` who is calling.",
    ),
    Rule(
        code="MS204",
        title="A synchronous function awaited",
        message="`{about}` is synchronous; do not await it",
        why="The functions that tell the caller return a value, which cannot be awaited.",
        instead="Remove the `await`.",
        in_tests=True,
        has_fix=True,
    ),
    Rule(
        code="MS205",
        title="A route that does not ask who is calling",
        message="route {about} asks for no caller and is not in `public_paths`; "
        "call `get_current_active_verified_user(request)` in it, or declare the path public",
        why="The chassis lets signed-in callers in; a route that does not look at the caller shows everybody the same.",
        instead="Ask for the caller, put a dependency on the router, or list the path in `public_paths`.",
    ),
    Rule(
        code="MS301",
        title="A gRPC channel made by hand",
        message="`{about}` makes a channel by hand; use a `BaseGrpcClient`",
        why="It has no identity, deadline, retries, discovery or telemetry.",
        instead="Use the `channel` of a `BaseGrpcClient`.",
    ),
    Rule(
        code="MS302",
        title="A gRPC stub outside of a BaseGrpcClient",
        message="`{about}` is used without a `BaseGrpcClient`; make the stub from `self.channel` of a subclass",
        why="Its calls carry no user and no correlation id.",
        instead="Make the stub in `__init__` of a subclass of `BaseGrpcClient`.",
    ),
    Rule(
        code="MS303",
        title="A gRPC client without a user where no request is",
        message="`{about}` is made where no request is to take the user from; give `user_id` and `correlation_id`",
        why="Outside of a request there is no context, and the other service refuses a call without a user.",
        instead="Give `user_id=` and `correlation_id=`, or `request=`.",
    ),
    Rule(
        code="MS304",
        title="A gRPC client that loses its ids",
        message="`{about}` takes ids and does not hand them to `super().__init__`",
        why="The caller believes that its user goes along, and it does not.",
        instead="Hand `user_id=user_id, correlation_id=correlation_id` on.",
    ),
    Rule(
        code="MS401",
        title="A hard-coded service URL",
        message="hard-coded address {about}; read it from an environment variable",
        why="It is right in one environment only.",
        instead="Put it into the settings, such as `<SERVICE>_GRPC_HOST` in the environment.",
    ),
    Rule(
        code="MS402",
        title="A hard-coded host",
        message="hard-coded host {about}; read it from an environment variable",
        why="It is right in one environment only.",
        instead="Put it into the settings.",
    ),
    Rule(
        code="MS403",
        title="A hard-coded port",
        message="hard-coded port {about}; read it from an environment variable",
        why="It is right in one environment only.",
        instead="Put it into the settings.",
    ),
    Rule(
        code="MS501",
        title="A hard-coded Redis database",
        message="hard-coded Redis database {about}; use `settings.REDIS_DB_*`",
        why="The platform decides which database has which purpose.",
        instead="Use the constant of the purpose, such as `settings.REDIS_DB_STRATEGY`.",
        has_fix=True,
    ),
    Rule(
        code="MS502",
        title="The reserved Redis database",
        message="Redis database 15 is reserved for the platform ({about})",
        why="The package refuses it at start-up.",
        instead="Use the database of your purpose.",
        in_tests=True,
    ),
    Rule(
        code="MS503",
        title="Redis without a cache",
        message="`{about}` connects to Redis directly; use `create_service_cache`, or `get_redis_client(db=...)`",
        why="It has a pool, a database and a way to fail of its own.",
        instead="Use a `BaseRedisCache`; `get_redis_client` is for what a cache cannot do.",
    ),
    Rule(
        code="MS504",
        title="A Redis key without a prefix",
        message="Redis key {about} has no prefix; begin it with the prefix of the service, such as `market:`",
        why="Keys of different purposes collide, and nobody can tell whose they are.",
        instead="Use a `BaseRedisCache`, which puts its prefix in front.",
    ),
    Rule(
        code="MS505",
        title="A Redis value that never expires",
        message="`{about}` stores a value without a TTL; give one, as the allocation says",
        why="The memory of Redis fills with values that nobody deletes.",
        instead="Give `ex=`, or use a cache with a `default_ttl` above zero.",
    ),
    Rule(
        code="MS601",
        title="Sleeping in the event loop",
        message="`{about}` stops the event loop; `await asyncio.sleep(...)`",
        why="No other request of the process is served meanwhile.",
        instead="`await asyncio.sleep(...)`.",
        has_fix=True,
    ),
    Rule(
        code="MS602",
        title="Blocking network calls in the event loop",
        message="`{about}` blocks the event loop; use an asynchronous client, or `asyncio.to_thread`",
        why="No other request of the process is served meanwhile.",
        instead="Use an asynchronous library, or `await asyncio.to_thread(...)`.",
    ),
    Rule(
        code="MS603",
        title="Waiting for a process or thread in the event loop",
        message="`{about}` blocks the event loop; use `asyncio.create_subprocess_exec`, or `asyncio.to_thread`",
        why="No other request of the process is served meanwhile.",
        instead="Use `asyncio.create_subprocess_exec`, or `await asyncio.to_thread(...)`.",
    ),
    Rule(
        code="MS604",
        title="File access in the event loop",
        message="`{about}` blocks the event loop; use `anyio.Path`, or `asyncio.to_thread`",
        why="A slow disk stops every request of the process.",
        instead="Use `anyio.Path`, or `await asyncio.to_thread(...)`.",
    ),
    Rule(
        code="MS605",
        title="A blocking database driver in the event loop",
        message="`{about}` blocks the event loop; use an `_async` method, an async driver, or `asyncio.to_thread`",
        why="No other request of the process is served meanwhile.",
        instead="Use the `_async` methods of `BaseDuckDBManager`, or an asynchronous driver.",
    ),
    Rule(
        code="MS701",
        title="BaseHTTPMiddleware",
        message="`{about}` breaks context, streams and background tasks; write a dependency, or plain ASGI middleware",
        why="It runs the app in another task, so that the context and cancelled requests get lost.",
        instead="Write a dependency, or a class with `async def __call__(self, scope, receive, send)`.",
    ),
    Rule(
        code="MS702",
        title="User collections in a NON_IAM service",
        message="`{about}` belongs to the IAM service; store `user.id` instead",
        why="Two services that own the users disagree about them.",
        instead="Store `user.id`, and derive documents from `BaseTimeDocWithUserId`.",
    ),
    Rule(
        code="MS703",
        title="A resource that /ready does not look at",
        message="{about} is no critical check, so `/ready` does not look at it; name it in `critical_checks`",
        why="Traffic comes to a service that cannot answer it.",
        instead="`create_service_config(..., critical_checks=[...])`.",
    ),
    Rule(
        code="MS704",
        title="A service without health endpoints or metrics",
        message="{about} takes away an endpoint that every service must have",
        why="The platform cannot tell whether the service lives, is ready, or is slow.",
        instead="Leave `/health`, `/ready` and `/metrics` on.",
    ),
    Rule(
        code="MS705",
        title="An app without the factory",
        message="`{about}` makes an app without the chassis; use `create_fastapi_app`",
        why="It has no authentication, `/health`, `/ready`, `/metrics`, context or error documents.",
        instead="`create_fastapi_app(service_config=create_service_config(...))`.",
    ),
    Rule(
        code="MS801",
        title="A secret in the code",
        message="{about} holds a secret; read it from the settings as `SecretStr`",
        why="Everybody who can read the code, or ever could, has it.",
        instead="Use a `SecretStr` in the settings, and change the secret.",
    ),
    Rule(
        code="MS802",
        title="A key of a known kind in the code",
        message="the text holds {about}; read it from the settings, and revoke this one",
        why="Everybody who can read the code, or ever could, has it.",
        instead="Use a `SecretStr` in the settings, and revoke the key.",
        in_tests=True,
    ),
    Rule(
        code="MS803",
        title="A password in a URL",
        message="the address {about} holds a password; read it from the settings",
        why="Everybody who can read the code, or ever could, has it.",
        instead="Put user and password into the settings.",
    ),
    Rule(
        code="MS811",
        title="An unsafe serialiser",
        message="`{about}` runs code of whoever wrote the bytes; use JSON, msgpack or protobuf",
        why="Bytes out of a cache or queue become code.",
        instead="Use the codecs of `mysingle.database`.",
    ),
    Rule(
        code="MS812",
        title="Text that is run as code",
        message="`{about}` runs text as code; use `ast.literal_eval`, or the strategy DSL",
        why="Whoever can write the text can do what the service can.",
        instead="Use `ast.literal_eval`, a table of functions, or the strategy DSL.",
        in_tests=True,
    ),
    Rule(
        code="MS901",
        title="An import path of version 1",
        message="`{about}`",
        why="The old path goes away with the next major version.",
        instead="Use the new path; `mysingle check --fix` writes it.",
        in_tests=True,
        has_fix=True,
    ),
    Rule(
        code="MS902",
        title="A removed component of version 1",
        message="`{about}` is gone; use a `BaseGrpcClient`",
        why="Calls between services are gRPC only.",
        instead="Write a subclass of `BaseGrpcClient`.",
        in_tests=True,
    ),
    Rule(
        code="MS903",
        title="A removed name of version 1",
        message="`{about}`",
        why="The name or argument does not exist any more.",
        instead="Use what the message names.",
        in_tests=True,
    ),
)

RULES: Final[Mapping[str, Rule]] = {rule.code: rule for rule in _RULES}
"""Code → rule, in order."""
