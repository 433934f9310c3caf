"""MS5: Redis by the allocation of the platform: which database, which prefix, for how long."""

import ast
import re
from collections.abc import Mapping

from mysingle._kernel.allocation import RedisDB
from mysingle.tooling.check._addresses import words
from mysingle.tooling.check._context import Call, Context
from mysingle.tooling.check._places import named_place, whole_text
from mysingle.tooling.check._scopes import Binding, Class, Scope
from mysingle.tooling.check._syntax import argument, keyword
from mysingle.tooling.check._values import HOLE, Hole, Made, Object, Ref
from mysingle.tooling.check.findings import Edit

__all__ = ["HANDLERS"]

_CACHE = "mysingle.BaseRedisCache"
_RAW = frozenset({"mysingle.Redis", "redis.asyncio.Redis", "redis.Redis"})
_CONNECTS = re.compile(
    r"(redis(\.asyncio)?|coredis|aredis|fakeredis|walrus|redis_om)\.(Redis|StrictRedis|RedisCluster|Sentinel|SentinelConnectionPool"
    r"|ConnectionPool|BlockingConnectionPool|Connection|from_url|create_redis_pool|create_pool|create_redis)(\.from_url|\.from_pool)?$"
)
_DATABASES: Mapping[str, tuple[int | None, tuple[str, ...]]] = {
    "mysingle.get_redis_client": (0, ("db",)),
    "mysingle.create_service_cache": (1, ("db_constant",)),
    _CACHE: (None, ("redis_db", "db")),
    "mysingle.GrpcCache": (None, ("redis_db", "db")),
    "mysingle.RedisUserCache": (None, ("redis_db", "db")),
    "mysingle.HybridUserCache": (None, ("redis_db", "db")),
    "mysingle.get_user_cache": (0, ("db", "redis_db")),
    "mysingle.RedisConfig": (None, ("db", "database")),
    "redis.Redis": (2, ("db",)),
    "redis.StrictRedis": (2, ("db",)),
    "redis.asyncio.Redis": (2, ("db",)),
    "redis.asyncio.StrictRedis": (2, ("db",)),
    "mysingle.Redis.select": (0, ("index",)),
    "redis.asyncio.Redis.select": (0, ("index",)),
    "redis.Redis.select": (0, ("index",)),
}
"""Call → position and keywords of the database."""
_URL = re.compile(r"(rediss?|valkeys?|unix)://[^\s]*/(?P<db>\d+)(\?.*)?$")
_KEYED = frozenset(
    [
        "set",
        "get",
        "setex",
        "psetex",
        "setnx",
        "getset",
        "getdel",
        "getex",
        "append",
        "incr",
        "incrby",
        "decr",
        "decrby",
        "expire",
        "pexpire",
        "expireat",
        "ttl",
        "pttl",
        "exists",
        "delete",
        "unlink",
        "hset",
        "hget",
        "hgetall",
        "hmget",
        "hdel",
        "hincrby",
        "lpush",
        "rpush",
        "lpop",
        "rpop",
        "lrange",
        "llen",
        "sadd",
        "srem",
        "smembers",
        "sismember",
        "zadd",
        "zrange",
        "zrem",
        "zscore",
        "persist",
        "type",
        "publish",
        "xadd",
        "hsetnx",
        "hexists",
        "hmset",
        "sismember",
        "scard",
        "zcard",
        "strlen",
    ]
)
_EXPIRY = frozenset({"ex", "px", "exat", "pxat", "keepttl"})
_EXPIRING = frozenset({"expire", "pexpire", "expireat", "pexpireat"})
_BARE_WORDS = frozenset({"id", "symbol", "email", "uuid", "user", "symbols", "ticker", "slug", "sku", "pk"})
_PREFIX = re.compile(r"_?[A-Za-z][\w-]*[:._/-]")
_DEFAULT_TTL = {
    _CACHE: (None, "default_ttl"),
    "mysingle.create_service_cache": (2, "ttl"),
    "mysingle.create_user_cache": (0, "ttl"),
    "mysingle.create_grpc_cache": (1, "ttl"),
}


def _on_call(context: Context, call: Call) -> None:
    target = _target(context, call)
    if target in _DATABASES:
        _check_database(context, call, target)
    if target in _DEFAULT_TTL:
        _check_default_ttl(context, call, target)
    if target == _CACHE:
        _check_prefix_of_cache(context, call)
    elif target == "mysingle.create_service_cache":
        _check_empty_prefix(context, argument(call.node, 0, "service_name"), call.scope)
    if _CONNECTS.match(call.name):
        context.report("MS503", call.node, call.name)
    elif call.method == "execute_command":
        _check_command(context, call)
    _check_client(context, call)


def _target(context: Context, call: Call) -> str:
    """Return what is called; for `super().__init__` in a cache, and for a subclass of one, the base."""
    if call.method == "__init__" and call.scope.cls is not None:
        return _CACHE if context.evaluator.derives(call.scope.cls, _CACHE) else ""
    if isinstance(call.callee, Class):
        has_own = "__init__" in call.callee.scope.names
        return _CACHE if not has_own and context.evaluator.derives(call.callee, _CACHE) else ""
    return call.name


def _check_database(context: Context, call: Call, target: str) -> None:
    position, names = _DATABASES[target]
    given = call.node.args[position] if position is not None and position < len(call.node.args) else None
    for name in names:
        given = given or keyword(call.node, name)
    if given is not None:
        _check_number(context, given, call.scope)


def _check_number(context: Context, node: ast.expr, scope: Scope) -> None:
    found = context.evaluator.value(node, scope)
    if isinstance(found, Ref) and found.last in ("RESERVED", "REDIS_DB_RESERVED", "REDIS_DB_RESERVED_15"):
        context.report("MS502", node, found.last)
        return
    number = context.evaluator.number(node, scope)
    if number is None:
        number = context.evaluator.default_number(node, scope)
    if number is None:
        return
    if number == RedisDB.RESERVED:
        context.report("MS502", node, str(number))
    else:
        context.report("MS501", node, str(number), _constant_for(context, node, number))


def _constant_for(context: Context, node: ast.expr, number: int) -> tuple[Edit, ...]:
    """Write the constant of the allocation, when the number stands here and nothing else is called `settings`."""
    if not isinstance(node, ast.Constant) or not 0 <= number < len(RedisDB) or not context.is_written(node):
        return ()
    known = context.module.scope.names.get("settings")
    if known:
        found = context.evaluator.exported(context.module, "settings")
        is_there = all(_is_bound_before(context, binding, node) for binding in known)
        if not isinstance(found, Ref) or found.name != "mysingle.settings" or not is_there:
            return ()
        needs: tuple[str, ...] = ()
    else:
        needs = ("from mysingle.core.config import settings",)
    if context.fact("hides settings", _hides_settings):
        return ()
    return (Edit(context.span(node), f"settings.REDIS_DB_{RedisDB(number).name}", needs),)


def _hides_settings(context: Context) -> bool:
    """Tell whether `settings` may be something else in a part of the file."""
    scopes = [function.scope for function in context.module.functions]
    scopes += [cls.scope for cls in context.module.classes]
    return any("settings" in scope.names for scope in scopes) or "*" in context.module.scope.names


def _is_bound_before(context: Context, binding: Binding, node: ast.Constant) -> bool:
    """Tell whether an import of `settings` has run when the line of a node does."""
    statement = next((part for part, _ in context.module.imports if part.lineno == binding.line), None)
    is_plain = statement is not None and isinstance(context.parent(statement), ast.Module)
    return is_plain and binding.line < node.lineno


def _check_command(context: Context, call: Call) -> None:
    command = context.evaluator.literal(argument(call.node, 0, "command"), call.scope)
    if command is not None and command.upper() == "SELECT" and len(call.node.args) > 1:
        _check_number(context, call.node.args[1], call.scope)


def _on_text(context: Context, node: ast.Constant | ast.JoinedStr, scope: Scope) -> None:
    lead = node.value if isinstance(node, ast.Constant) else "redis://" if _has_scheme(node) else ""
    if not str(lead).startswith(("redis://", "rediss://", "valkey://", "valkeys://")):
        return
    place = named_place(context, node, scope)
    if place.is_harmless or place.is_setting:
        return
    text = context.evaluator.text(whole_text(context, node), scope)
    found = _URL.match(text.shape.replace(HOLE, "x")) if text is not None else None
    if found is None or text is None or not isinstance(text.parts[-1], str):
        return
    is_reserved = int(found["db"]) == RedisDB.RESERVED
    context.report("MS502" if is_reserved else "MS501", node, found["db"])


def _has_scheme(node: ast.JoinedStr) -> bool:
    first = node.values[0] if node.values else None
    return isinstance(first, ast.Constant) and str(first.value).startswith(("redis", "valkey"))


def _on_number(context: Context, node: ast.Constant, scope: Scope) -> None:
    """`REDIS_DB = 3`, or a setting that takes the reserved number."""
    if not isinstance(node.value, int) or isinstance(node.value, bool) or not 0 <= node.value <= 15:
        return
    parent = context.parent(node)
    if not isinstance(parent, ast.Assign | ast.AnnAssign):
        return
    target = parent.targets[0] if isinstance(parent, ast.Assign) else parent.target
    name = target.attr if isinstance(target, ast.Attribute) else ""
    if isinstance(target, ast.Name) and scope.kind != "function":
        name = target.id
    parts = words(name)
    if "redis" not in parts or "db" not in parts:
        return
    is_setting = isinstance(scope.owner, Class) and context.evaluator.is_settings(scope.owner)
    if node.value == RedisDB.RESERVED:
        context.report("MS502", node, name)
    elif not is_setting:
        context.report("MS501", node, f"{name} = {node.value}")


def _check_default_ttl(context: Context, call: Call, target: str) -> None:
    position, name = _DEFAULT_TTL[target]
    given = argument(call.node, position, name) if position is not None else keyword(call.node, name)
    if given is not None and _is_no_ttl(context, given, call.scope):
        context.report("MS505", call.node, call.method if call.method != "__init__" else "BaseRedisCache")


def _is_no_ttl(context: Context, node: ast.expr, scope: Scope) -> bool:
    node, scope = context.evaluator.definition(node, scope)
    if isinstance(node, ast.Constant) and node.value is None:
        return True
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return True
    number = context.evaluator.number(node, scope)
    return number is not None and number <= 0


def _check_prefix_of_cache(context: Context, call: Call) -> None:
    given = keyword(call.node, "key_prefix")
    is_open = any(part.arg is None for part in call.node.keywords) or any(
        isinstance(part, ast.Starred) for part in call.node.args
    )
    if given is None and not is_open and not call.node.args and not call.is_partial:
        context.report("MS504", call.node, "of the cache")
    elif given is not None:
        _check_empty_prefix(context, given, call.scope)


def _check_empty_prefix(context: Context, node: ast.expr | None, scope: Scope) -> None:
    if node is None:
        return
    is_none = isinstance(node, ast.Constant) and node.value is None
    if is_none or context.evaluator.literal(node, scope) == "":
        context.report("MS504", node, ast.unparse(node))


def _check_client(context: Context, call: Call) -> None:
    """Commands to a client that is no cache: their keys and their expiry."""
    receiver = call.receiver
    if (isinstance(receiver, Made) and receiver.name == _CACHE) or isinstance(receiver, Object):
        _check_ttl_of_cache(context, call)
    if not isinstance(receiver, Made) or receiver.name not in _RAW or not call.node.args:
        return
    if call.method in _KEYED and _is_bare(context, call.node.args[0], call.scope):
        context.report("MS504", call.node.args[0], ast.unparse(call.node.args[0]))
    if not call.is_partial and _never_expires(context, call):
        context.report("MS505", call.node, call.method)


def _check_ttl_of_cache(context: Context, call: Call) -> None:
    is_cache = call.name == f"{_CACHE}.{call.method}"
    if is_cache and call.method in ("set", "get_or_set"):
        given = argument(call.node, 2, "ttl")
        if (
            given is not None
            and not (isinstance(given, ast.Constant) and given.value is None)
            and _is_no_ttl(context, given, call.scope)
        ):
            context.report("MS505", call.node, call.method)


def _is_bare(context: Context, node: ast.expr, scope: Scope) -> bool:
    text = context.evaluator.text(node, scope)
    if text is None or not text.parts:
        return text is not None and text.literal == ""
    first = text.parts[0]
    if isinstance(first, Hole):
        parts = words(first.name)
        has_prefix = any(word in first.name.lower() for word in ("prefix", "key", "namespace"))
        return bool(parts) and parts[-1] in _BARE_WORDS and not has_prefix
    if text.literal is not None:
        return ":" not in first and not _PREFIX.match(first) and bool(first)
    return _PREFIX.match(first) is None


def _never_expires(context: Context, call: Call) -> bool:
    if call.method in ("set", "getset", "setnx", "mset"):
        given = {
            part.arg
            for part in call.node.keywords
            if not (isinstance(part.value, ast.Constant) and part.value.value is None)
        }
        is_timed = bool(given & _EXPIRY) or None in given or (call.method == "set" and len(call.node.args) > 2)
        return not is_timed and not _expires_later(call)
    return call.method == "persist"


def _expires_later(call: Call) -> bool:
    function = call.scope.function
    others = function.calls if function is not None else []
    return any(isinstance(other.func, ast.Attribute) and other.func.attr in _EXPIRING for other in others)


def _on_class(context: Context, cls: Class) -> None:
    for base in context.evaluator.bases(cls):
        if re.fullmatch(r"redis(\.asyncio)?\.(Redis|StrictRedis|RedisCluster)", base):
            context.report("MS503", cls.node, cls.name)


HANDLERS = {"call": _on_call, "text": _on_text, "number": _on_number, "class": _on_class}
