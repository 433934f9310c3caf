"""Caches that were told the number of their database become those of the factories."""

import re
from collections.abc import Sequence

import libcst as cst

from mysingle._kernel.allocation import RedisDB
from mysingle.tooling.migrate._project import Project
from mysingle.tooling.migrate._statements import with_lost_comments
from mysingle.tooling.migrate._step import Step, code_of, dotted

__all__ = ["Caches"]

_SECTION = "caches"
_USER_CACHES = ("RedisUserCache", "HybridUserCache", "get_user_cache")
_NUMBERS = ("redis_db", "db")
_ORDER = ("key_prefix", "default_ttl", "redis_db")
_GRPC_ORDER = ("service_name", "default_ttl", "redis_db")
_EQUAL = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))


class Caches(Step):
    """`redis_db=5` goes: `create_service_cache`, `create_grpc_cache` and `create_user_cache` choose the database."""

    trigger = re.compile(
        r"\b(BaseRedisCache|GrpcCache|RedisUserCache|HybridUserCache|get_user_cache|\w+_service_cache)\b"
    )

    def __init__(self, project: Project, *, is_package: bool) -> None:
        super().__init__(project, is_package=is_package)
        self._classes: list[bool] = []

    def visit_ClassDef(self, node: cst.ClassDef) -> bool | None:
        """Enter a class, which may be a cache."""
        names = [self.ours(_bare(base.value)) for base in node.bases]
        self._classes.append("BaseRedisCache" in names)
        if any(name in _USER_CACHES for name in names):
            why = "BaseRedisCache needs a key_prefix and knows no users; a cache of users is create_user_cache()"
            self.note(node, f"{node.name.value} extends a cache of users", why, _SECTION)
        return None

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:
        """Leave a class."""
        self._classes.pop()
        return updated_node

    def leave_Await(self, original_node: cst.Await, updated_node: cst.Await) -> cst.BaseExpression:
        """Wait no longer: a cache is made at once."""
        call = original_node.expression
        is_cache = isinstance(call, cst.Call) and self.ours(call.func) == "get_user_cache"
        return updated_node.expression if is_cache else updated_node

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.Call:
        """Replace a constructor by its factory."""
        name = self.ours(_bare(original_node.func))
        if name in _USER_CACHES:
            return self._user_cache(original_node, updated_node)
        if name == "GrpcCache":
            return self._grpc_cache(original_node, updated_node)
        if name == "create_service_cache":
            second = updated_node.args[1] if len(updated_node.args) > 1 else None
            given = _find(updated_node.args, ("db_constant",)) or second
            return self._with_constant(original_node, updated_node, given)
        if name == "BaseRedisCache":
            updated_node = self._by_keyword(original_node, updated_node, _ORDER)
            number = _find(updated_node.args, _NUMBERS)
            return self._service_cache(original_node, updated_node, number) if number is not None else updated_node
        if self._is_constructor(original_node):
            updated_node = self._by_keyword(original_node, updated_node, _ORDER)
            return self._with_constant(original_node, updated_node, _find(updated_node.args, _NUMBERS))
        return updated_node

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine:
        """Keep the comments beside arguments that have gone."""
        return with_lost_comments(original_node, updated_node)

    def _is_constructor(self, node: cst.Call) -> bool:
        """Tell whether a call is `super().__init__(...)` or `BaseRedisCache.__init__(self, ...)` of a cache class."""
        if not self._classes or not self._classes[-1]:
            return False
        func = node.func
        is_base = isinstance(func, cst.Attribute) and self.ours(_bare(func.value)) == "BaseRedisCache"
        return _is_super(node) or (is_base and isinstance(func, cst.Attribute) and func.attr.value == "__init__")

    def _by_keyword(self, node: cst.Call, updated: cst.Call, order: Sequence[str]) -> cst.Call:
        """Return the call with its positional arguments by keyword, which is the only way of version 2."""
        if any(item.star for item in updated.args):
            why = "take redis_db out of them; settings.REDIS_DB_* and the factories say where a cache is"
            self.note(node, "the arguments of a cache are passed on with a star", why, _SECTION)
        own = dotted(updated.args[0].value) == "self" and not _is_super(node) if updated.args else False
        given = [item for item in updated.args[int(own) :] if item.keyword is None and not item.star]
        if len(given) > len(order):
            self.note(node, "a cache takes its arguments by keyword", "name them", _SECTION)
            return updated
        names = dict(zip(given, order, strict=False))
        return updated.with_changes(
            args=[_keyword(item, names[item]) if item in names else item for item in updated.args]
        )

    def _user_cache(self, node: cst.Call, updated: cst.Call) -> cst.Call:
        ttl = _find(updated.args, ("ttl", "default_ttl"))
        self._tell_dropped(node, updated, ("ttl", "default_ttl", *_NUMBERS))
        return self._factory(updated, "create_user_cache", [_argument("ttl", ttl.value)] if ttl else [])

    def _grpc_cache(self, node: cst.Call, updated: cst.Call) -> cst.Call:
        is_old = (self.imported(node.func) or "").split(".")[1:2] == ["database"]
        if not is_old and _find(updated.args, _NUMBERS) is None:
            return updated  # the one of mysingle.grpc
        updated = self._by_keyword(node, updated, _GRPC_ORDER)
        service = _find(updated.args, ("service_name",))
        ttl = _find(updated.args, ("ttl", "default_ttl"))
        self._tell_dropped(node, updated, ("service_name", "ttl", "default_ttl", *_NUMBERS))
        if service is None:
            why = "its keys carry the name of the service, which had to be guessed"
            self.note(node, "the cache of gRPC responses has a name", why, _SECTION)
        name = service.value if service else cst.SimpleString(f'"{self.project.service_name}"')
        arguments = [_argument("service_name", name), *([_argument("ttl", ttl.value)] if ttl else [])]
        return self._factory(updated, "create_grpc_cache", arguments)

    def _service_cache(self, node: cst.Call, updated: cst.Call, number: cst.Arg) -> cst.Call:
        prefix = _find(updated.args, ("key_prefix",))
        known = ("key_prefix", "default_ttl", "codec", *_NUMBERS)
        others = [item for item in updated.args if item.keyword and item.keyword.value not in known]
        if prefix is None or others or any(item.star for item in updated.args):
            return self._with_constant(node, updated, number)
        ttl = _find(updated.args, ("default_ttl",)) or cst.Arg(cst.Integer("300"))  # the default of the class
        place = self._constant(node, number.value)
        if place is number.value:
            self._tell_number(node, place)
        arguments = [cst.Arg(prefix.value), cst.Arg(place), _argument("ttl", ttl.value)]
        codec = _find(updated.args, ("codec",))
        return self._factory(updated, "create_service_cache", [*arguments, *([codec] if codec else [])])

    def _factory(self, call: cst.Call, name: str, arguments: list[cst.Arg]) -> cst.Call:
        self.unused.add(dotted(call.func))
        last = arguments[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT) if arguments else None
        return call.with_changes(
            func=self.need(f"mysingle.database.{name}"),
            args=[*arguments[:-1], last] if last else [],
            whitespace_before_args=cst.SimpleWhitespace(""),
        )

    def _tell_dropped(self, node: cst.Call, updated: cst.Call, known: Sequence[str]) -> None:
        names = [item.keyword.value for item in updated.args if item.keyword and item.keyword.value not in known]
        if names:
            self.note(
                node, f"{', '.join(names)} of a cache has gone", "the factories set it up by themselves", _SECTION
            )

    def _with_constant(self, node: cst.Call, updated: cst.Call, number: cst.Arg | None) -> cst.Call:
        """Return the call with the constant of the allocation in the place of a literal number."""
        if number is None:
            return updated
        if not isinstance(number.value, cst.Integer):
            self._tell_number(node, number.value)
            return updated
        named = _argument("redis_db", self._constant(node, number.value))
        constant = number.with_changes(value=named.value, **_renamed(number, named))
        return updated.with_changes(args=[constant if item is number else item for item in updated.args])

    def _tell_number(self, node: cst.CSTNode, value: cst.BaseExpression) -> None:
        """Tell about a number that is worked out: nobody but a person knows whether the allocation has it."""
        if isinstance(value, cst.Integer) or dotted(value).rpartition(".")[2].startswith("REDIS_DB_"):
            return
        why = "name the database of this purpose: settings.REDIS_DB_*"
        self.note(node, f"the database of a cache is {code_of(value)}", why, _SECTION)

    def _constant(self, node: cst.CSTNode, value: cst.BaseExpression) -> cst.BaseExpression:
        if not isinstance(value, cst.Integer):
            return value
        number = value.evaluated_value
        if number not in list(RedisDB) or number == RedisDB.RESERVED:
            why = "the allocation has databases 0 to 14; choose the one of this purpose"
            self.note(node, f"a cache is in Redis database {number}", why, _SECTION)
            return value
        return cst.Attribute(self.settings(), cst.Name(f"REDIS_DB_{RedisDB(number).name}"))


def _renamed(number: cst.Arg, named: cst.Arg) -> dict[str, object]:
    is_old = number.keyword is not None and number.keyword.value == "db"
    return {"keyword": named.keyword} if is_old else {}


def _find(arguments: Sequence[cst.Arg], names: Sequence[str]) -> cst.Arg | None:
    return next((item for item in arguments if item.keyword and item.keyword.value in names), None)


def _keyword(argument: cst.Arg, name: str) -> cst.Arg:
    return argument.with_changes(keyword=cst.Name(name), equal=_EQUAL)


def _bare(node: cst.BaseExpression) -> cst.BaseExpression:
    """Return `BaseRedisCache` for `BaseRedisCache[Quote]`."""
    return node.value if isinstance(node, cst.Subscript) else node


def _argument(name: str, value: cst.BaseExpression) -> cst.Arg:
    return cst.Arg(value, cst.Name(name), equal=_EQUAL)


def _is_super(node: cst.Call) -> bool:
    inner = node.func.value if isinstance(node.func, cst.Attribute) else None
    is_constructor = isinstance(node.func, cst.Attribute) and node.func.attr.value == "__init__"
    return is_constructor and isinstance(inner, cst.Call) and dotted(inner.func) == "super"
