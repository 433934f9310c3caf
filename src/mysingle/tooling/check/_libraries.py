"""What is known of libraries: one name for each thing, what calls return, which calls hand their argument on."""

from collections.abc import Mapping

__all__ = [
    "BARE",
    "ENVIRONMENT_READERS",
    "HARMLESS_LIBRARIES",
    "PASS_THROUGH",
    "RETURNS",
    "TEXT_METHODS",
    "canonical",
    "is_settings_base",
]

_PACKAGES = frozenset(
    [
        "core",
        "auth",
        "database",
        "clients",
        "grpc",
        "dsl",
        "tasks",
        "testing",
        "tooling",
        "protos",
        "config",
        "base",
        "iam",
        "redis",
        "cache",
        "caches",
        "cache_factory",
        "redis_cache",
        "factory",
        "duckdb",
        "duckdb_manager",
        "manager",
        "mongo",
        "documents",
        "models",
        "schemas",
        "deps",
        "dependencies",
        "service",
        "app",
        "service_types",
        "user",
        "kong",
        "middleware",
        "health",
        "metrics",
        "logging",
        "context",
        "errors",
        "client",
        "server",
        "factories",
        "base_grpc_client",
        "base_client",
        "grpc_client",
        "base_server",
        "app_factory",
        "fastapi_app",
        "authentication",
    ]
)
_RENAMED: Mapping[str, str] = {
    "starlette.requests": "fastapi",
    "fastapi.requests": "fastapi",
    "starlette.websockets": "fastapi",
    "starlette.applications": "fastapi",
    "fastapi.applications": "fastapi",
    "fastapi.routing": "fastapi",
    "fastapi.params": "fastapi",
    "fastapi.param_functions": "fastapi",
    "fastapi.middleware": "starlette.middleware",
    "requests.api": "requests",
    "requests.sessions": "requests",
    "httpx._client": "httpx",
    "httpx._api": "httpx",
    "aiohttp.client": "aiohttp",
    "aioredis": "redis.asyncio",
    "redis.asyncio.client": "redis.asyncio",
    "redis.asyncio.connection": "redis.asyncio",
    "redis.asyncio.utils": "redis.asyncio",
    "redis.asyncio.cluster": "redis.asyncio",
    "redis.asyncio.sentinel": "redis.asyncio",
    "redis.client": "redis",
    "redis.utils": "redis",
    "redis.cluster": "redis",
    "redis.sentinel": "redis",
    "grpc.experimental.aio": "grpc.aio",
    "grpc.aio._channel": "grpc.aio",
    "jose.jws": "jose.jwt",
    "authlib.jose": "joserfc",
    "jwt.api_jwt": "jwt",
    "jwt.jwks_client": "jwt",
    "_pickle": "pickle",
    "cPickle": "pickle",
    "dill._dill": "dill",
    "typing_extensions": "typing",
    "yaml.loader": "yaml",
    "pydantic.fields": "pydantic",
    "pydantic.types": "pydantic",
    "pydantic.networks": "pydantic",
    "pymongo.mongo_client": "pymongo",
    "pathlib._local": "pathlib",
    "fastapi.security.http": "fastapi.security",
    "fastapi.security.oauth2": "fastapi.security",
    "fastapi.security.api_key": "fastapi.security",
}
_DEEPEST = 4

BARE: Mapping[str, str] = {
    **{
        name: f"mysingle.{name}"
        for name in [
            "BaseGrpcClient",
            "BaseServiceClient",
            "BaseRedisCache",
            "BaseDuckDBManager",
            "BaseDocument",
            "BaseTimeDocument",
            "BaseDocumentWithUserId",
            "BaseTimeDocWithUserId",
            "BaseDoc",
            "BaseTimeDoc",
            "BaseDocWithUserId",
            "CommonSettings",
            "ServiceType",
            "create_fastapi_app",
            "create_service_config",
            "create_user_cache",
            "create_grpc_cache",
            "create_service_cache",
            "get_redis_client",
            "get_current_user",
            "get_current_active_user",
            "get_current_active_verified_user",
            "get_current_active_superuser",
            "get_current_user_optional",
            "OAuthAccount",
            "RedisDB",
            "init_mongo",
        ]
    },
    "BaseHTTPMiddleware": "starlette.middleware.base.BaseHTTPMiddleware",
    "AsyncClient": "httpx.AsyncClient",
    "ClientSession": "aiohttp.ClientSession",
    "APIRouter": "fastapi.APIRouter",
    "FastAPI": "fastapi.FastAPI",
    "Request": "fastapi.Request",
    "WebSocket": "fastapi.WebSocket",
    "Depends": "fastapi.Depends",
    "Security": "fastapi.Security",
    "Header": "fastapi.Header",
    "Annotated": "typing.Annotated",
    "Path": "pathlib.Path",
    "BaseSettings": "pydantic_settings.BaseSettings",
    "BaseModel": "pydantic.BaseModel",
    "SecretStr": "pydantic.SecretStr",
    "Field": "pydantic.Field",
}
"""Names of which the import is missing, as in a part of a file."""

_REDIS = "redis.asyncio.Redis"
RETURNS: Mapping[str, str] = {
    "mysingle.get_redis_client": "mysingle.Redis",
    "mysingle.Redis.pipeline": "mysingle.Redis",
    "redis.asyncio.from_url": _REDIS,
    "redis.asyncio.Redis.from_url": _REDIS,
    "redis.asyncio.Redis.from_pool": _REDIS,
    "redis.asyncio.StrictRedis": _REDIS,
    "redis.asyncio.StrictRedis.from_url": _REDIS,
    "redis.asyncio.Redis.pipeline": _REDIS,
    "redis.asyncio.RedisCluster": _REDIS,
    "redis.asyncio.create_redis_pool": _REDIS,
    "redis.asyncio.Sentinel.master_for": _REDIS,
    "redis.from_url": "redis.Redis",
    "redis.Redis.from_url": "redis.Redis",
    "redis.StrictRedis": "redis.Redis",
    "redis.StrictRedis.from_url": "redis.Redis",
    "redis.Redis.pipeline": "redis.Redis",
    "requests.session": "requests.Session",
    "mysingle.create_user_cache": "mysingle.BaseRedisCache",
    "mysingle.create_grpc_cache": "mysingle.BaseRedisCache",
    "mysingle.create_service_cache": "mysingle.BaseRedisCache",
    "mysingle.create_fastapi_app": "fastapi.FastAPI",
    "mysingle.create_celery_app": "mysingle.Celery",
    "pathlib.Path.cwd": "pathlib.Path",
    "pathlib.Path.home": "pathlib.Path",
    "pathlib.Path.resolve": "pathlib.Path",
    "pathlib.Path.absolute": "pathlib.Path",
    "pathlib.Path.expanduser": "pathlib.Path",
    "pathlib.Path.joinpath": "pathlib.Path",
    "pathlib.Path.with_suffix": "pathlib.Path",
    "pathlib.Path.with_name": "pathlib.Path",
    "pathlib.Path.parent": "pathlib.Path",
    "duckdb.connect": "duckdb.Connection",
    "sqlite3.connect": "sqlite3.Connection",
    "psycopg2.connect": "psycopg2.Connection",
    "psycopg.connect": "psycopg.Connection",
    "pymysql.connect": "pymysql.Connection",
    "boto3.client": "boto3.Client",
    "concurrent.futures.ThreadPoolExecutor.submit": "concurrent.futures.Future",
    "concurrent.futures.ProcessPoolExecutor.submit": "concurrent.futures.Future",
    "asyncio.run_coroutine_threadsafe": "concurrent.futures.Future",
    "pymongo.MongoClient.get_database": "pymongo.MongoClient",
    "pymongo.MongoClient.get_default_database": "pymongo.MongoClient",
    "pymongo.MongoClient.get_collection": "pymongo.MongoClient",
    "boto3.resource": "boto3.Client",
    "sqlalchemy.create_engine": "sqlalchemy.Engine",
}
"""Call → class of what it returns, where the name of the call does not say."""

PASS_THROUGH = frozenset(
    [
        "builtins.str",
        "builtins.repr",
        "httpx.URL",
        "yarl.URL",
        "pydantic.SecretStr",
        "pydantic.AnyHttpUrl",
        "pydantic.HttpUrl",
        "pydantic.AnyUrl",
        "pydantic.RedisDsn",
        "pydantic.MongoDsn",
        "pydantic.SecretBytes",
        "pydantic.TypeAdapter",
        "urllib.parse.quote",
        "urllib.parse.urlparse",
        "urllib.parse.urlsplit",
        "functools.partial",
        "builtins.staticmethod",
        "builtins.classmethod",
        "functools.cache",
        "functools.lru_cache",
        "starlette.datastructures.Secret",
        "os.path.expandvars",
        "copy.copy",
        "copy.deepcopy",
        "builtins.list",
        "builtins.tuple",
        "builtins.iter",
        "builtins.sorted",
        "types.MappingProxyType",
        "builtins.frozenset",
        "builtins.set",
        "urllib.request.Request",
        "contextlib.closing",
        "contextlib.aclosing",
        "inspect.cleandoc",
        "textwrap.dedent",
        "sys.intern",
        "anyio.Path",
        "aiopath.AsyncPath",
        "builtins.int",
    ]
) - {"anyio.Path", "aiopath.AsyncPath"}
"""Calls whose value is, for our purposes, their first argument."""

ENVIRONMENT_READERS = frozenset(
    [
        "os.getenv",
        "os.environ.get",
        "os.environ.setdefault",
        "os.environ.pop",
        "decouple.config",
        "environs.Env",
        "environ.Env",
        "starlette.config.Config",
    ]
)

TEXT_METHODS = frozenset(
    [
        "strip",
        "lstrip",
        "rstrip",
        "lower",
        "upper",
        "title",
        "casefold",
        "removesuffix",
        "removeprefix",
        "replace",
        "encode",
        "decode",
        "unicode_string",
        "get_secret_value",
        "expandtabs",
        "format_map",
    ]
)
"""Methods of a text that leave it, for our purposes, as it is."""


HARMLESS_LIBRARIES = frozenset(
    {
        *(
            "mysingle",
            "httpx",
            "requests",
            "aiohttp",
            "redis",
            "grpc",
            "jwt",
            "jose",
            "joserfc",
            "fastapi",
            "starlette",
        ),
        *("pydantic", "pydantic_settings", "beanie", "pymongo", "bson", "duckdb", "celery", "uvicorn", "structlog"),
        *(
            "prometheus_client",
            "orjson",
            "msgpack",
            "pytest",
            "anyio",
            "aiofiles",
            "google",
            "sqlalchemy",
            "typing_extensions",
        ),
    }
)
"""Libraries that lead to no unsafe serialiser."""


def canonical(name: str) -> str:
    """
    Return the one name of a thing of a library, wherever it was imported from.

    What belongs to this package loses its modules, since they moved between versions.
    """
    root, _, rest = name.partition(".")
    if not rest:
        return _RENAMED.get(name, name)
    if root in ("mysingle", "mysingle_quant"):
        return _ours(rest)
    parts = name.split(".")
    for depth in range(min(_DEEPEST, len(parts)), 0, -1):
        renamed = _RENAMED.get(".".join(parts[:depth]))
        if renamed is not None:
            return ".".join([renamed, *parts[depth:]])
    return name


def _ours(rest: str) -> str:
    parts = rest.split(".")
    while len(parts) > 1 and (parts[0] in _PACKAGES or parts[0].startswith("_")):
        parts.pop(0)
    return ".".join(["mysingle", *parts])


def is_settings_base(name: str) -> bool:
    """Tell whether a class with this base reads its values from the environment."""
    return name.rpartition(".")[2].endswith(("BaseSettings", "CommonSettings"))
