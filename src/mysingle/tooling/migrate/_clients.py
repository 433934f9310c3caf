"""HTTP clients become skeletons of gRPC clients; what only a person can do is marked in them."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import libcst as cst
from libcst.matchers import Attribute, Name, findall
from libcst.metadata import ParentNodeProvider

from mysingle.tooling.migrate._findings import GUIDE, MARK
from mysingle.tooling.migrate._project import OLD_CLIENTS, Project
from mysingle.tooling.migrate._statements import with_lost_comments
from mysingle.tooling.migrate._step import Step, code_of, dotted, removed, text_of

__all__ = ["Clients"]

_SECTION = "http-clients"
_FACTORIES = ("create_service_http_client", "get_service_http_client")
_NEW = "BaseGrpcClient"
_OLD_ORDER = ("service_name", "default_port", "base_url", "request", "auth_token", "http_client")
_KEPT = ("service_name", "default_port", "request", "user_id", "correlation_id", "timeout")
_GRPC_PORT = "50051"
_VERBS = ("get", "post", "put", "patch", "delete", "request", "_request")
_TOKENS = ("set_auth_token", "remove_auth_token")


class _Class(NamedTuple):
    """A class that is being visited, and the HTTP calls that it makes. A direct client extends one of version 1."""

    name: str
    is_direct: bool
    is_client: bool
    has_constructor: bool
    calls: list[str]


class Clients(Step):
    """`BaseServiceClient` and its relatives: arguments that still exist, a place for the stub, the calls as a list."""

    trigger = re.compile(r"\b(BaseServiceClient|ServiceHttpClient|\w+_service_http_client|http_client_lifespan)\b")

    def __init__(self, project: Project, *, is_package: bool) -> None:
        super().__init__(project, is_package=is_package)
        self._classes: list[_Class] = []
        self._functions: list[str] = []
        self._instances: set[str] = set()

    @classmethod
    def concerns(cls, text: str, project: Project) -> bool:
        """Tell whether a text may have something for this step: the clients of the service count too."""
        return super().concerns(text, project) or any(name in text for name in project.clients)

    def visit_ClassDef(self, node: cst.ClassDef) -> bool | None:
        """Enter a class; the client classes of a file are known to the code below them."""
        is_direct = any(self.ours(base.value) in OLD_CLIENTS for base in node.bases)
        own = [name for base in node.bases if (name := self._own_client(base.value)) is not None]
        has_constructor = not is_direct and any(self.project.clients[name] for name in own)
        self._classes.append(_Class(node.name.value, is_direct, is_direct or bool(own), has_constructor, []))
        return None

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:
        """Mark a client class with what is left to do, and give it one base where it had both."""
        found = self._classes.pop()
        if not found.is_direct:
            return updated_node
        task = "set self.stub" if not found.calls else "set self.stub, and replace these HTTP calls"
        marks = [f"# {MARK}: {task}. See {GUIDE}#{_SECTION}"]
        marks += [f"#   {call}" for call in found.calls]
        lines = [cst.EmptyLine(comment=cst.Comment(mark)) for mark in marks]
        return updated_node.with_changes(
            bases=self._bases(original_node, updated_node), leading_lines=[*updated_node.leading_lines, *lines]
        )

    def _bases(self, original: cst.ClassDef, updated: cst.ClassDef) -> Sequence[cst.Arg]:
        names = [self.ours(base.value) for base in original.bases]
        if _NEW not in names:
            return updated.bases
        kept = [base for name, base in zip(names, updated.bases, strict=True) if name not in OLD_CLIENTS]
        self.note(original, f"{original.name.value} spoke HTTP and gRPC", "only gRPC is left", "hybrid-clients")
        return [*kept[:-1], kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)]

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool | None:
        """Enter a function."""
        self._functions.append(node.name.value)
        return None

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        """Leave a function; the constructor of a client gets a place for its stub, and its health check a new name."""
        self._functions.pop()
        is_method = bool(self._classes) and isinstance(self.parent(self.parent(original_node)), cst.ClassDef)
        if is_method and self._is_client and original_node.name.value == "health_check":
            return updated_node.with_changes(name=cst.Name("check_health"))
        is_constructor = original_node.name.value == "__init__" and self._is_client and self._classes[-1].is_direct
        if not is_constructor or not isinstance(updated_node.body, cst.IndentedBlock):
            return updated_node
        body = list(updated_node.body.body)
        for index, statement in enumerate(body):
            if _is_super(statement) and not any(_sets_stub(item) for item in body):
                name = re.sub(r"(Service)?(Http)?Client$", "", self._classes[-1].name) or "My"
                text = f"self.stub = None  # {MARK}: {name}ServiceStub(self.channel)\n"
                body.insert(index + 1, cst.ensure_type(cst.parse_statement(text), cst.SimpleStatementLine))
                return updated_node.with_changes(body=updated_node.body.with_changes(body=body))
        return updated_node

    @property
    def _is_client(self) -> bool:
        return bool(self._classes) and self._classes[-1].is_client

    def visit_Module(self, node: cst.Module) -> bool | None:
        """Learn which names hold clients, wherever in the module they get them."""
        for item in self.facts(ParentNodeProvider):
            if isinstance(item, cst.Assign) and self._makes_client(item.value):
                self._instances |= {name for target in item.targets if (name := dotted(target.target))}
            elif isinstance(item, cst.AnnAssign) and self._mentions_client(item.annotation):
                self._instances.add(dotted(item.target))
            elif isinstance(item, cst.WithItem) and self._makes_client(item.item) and item.asname is not None:
                self._instances.add(dotted(item.asname.name))
            elif isinstance(item, cst.Param) and item.annotation is not None and self._mentions_client(item.annotation):
                self._instances.add(item.name.value)
        return None

    def _mentions_client(self, annotation: cst.Annotation) -> bool:
        """Tell whether a client class stands in an annotation, alone or as in `Annotated[StrategyClient, ...]`."""
        names = findall(annotation, Name() | Attribute())
        return any(isinstance(name, cst.BaseExpression) and self._client_class(name) for name in names)

    def _makes_client(self, node: cst.BaseExpression) -> bool:
        call = node.expression if isinstance(node, cst.Await) else node
        return isinstance(call, cst.Call) and (self._client_class(call.func) or self.ours(call.func) in _FACTORIES)

    def _client_class(self, node: cst.BaseExpression) -> bool:
        return self.ours(node) in OLD_CLIENTS or self._own_client(node) is not None

    def _own_client(self, node: cst.BaseExpression) -> str | None:
        """Return the name of a client class of the service itself; None for anything else."""
        path = self.imported(node) or dotted(node)
        name = path.rpartition(".")[2]
        is_own = name in self.project.clients and self.ours(node) is None
        return name if is_own and (path == dotted(node) or self.imported(node) is not None) else None

    def leave_Await(self, original_node: cst.Await, updated_node: cst.Await) -> cst.BaseExpression:
        """Wait no longer: a client is made at once."""
        call = original_node.expression
        is_factory = isinstance(call, cst.Call) and self.ours(call.func) in _FACTORIES
        return updated_node.expression if is_factory else updated_node

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.Call:
        """Keep the arguments that exist on both sides, and tell a person about HTTP calls."""
        if self._makes_client(original_node) or (self._is_client and _is_super_call(original_node)):
            return updated_node.with_changes(args=self._arguments(original_node, updated_node.args))
        if self._is_client and _is_base_call(original_node):
            own, *others = updated_node.args
            return updated_node.with_changes(args=[own, *self._arguments(original_node, others)])
        updated_node = self._without_lifespan(original_node, updated_node)
        self._tell_patch(original_node)
        func = original_node.func
        if not isinstance(func, cst.Attribute):
            return updated_node
        is_self = self._is_client and (dotted(func.value) == "self" or _is_super_of(func.value))
        is_known = is_self or dotted(func.value) in self._instances or self._makes_client(func.value)
        if not is_known and (func.attr.value != "_request" or dotted(func.value) in ("self", "cls")):
            return updated_node
        return self._method(original_node, updated_node, func.attr.value, is_self=is_self)

    def _tell_patch(self, node: cst.Call) -> None:
        """Tell about `patch.object(Client, "_request")`: the members of the new base are others."""
        if len(node.args) < 2 or not self._client_class(node.args[0].value):
            return
        name = text_of(node.args[1].value)
        if name in ("_request", "health_check", *_TOKENS):
            new = "it is check_health now" if name == "health_check" else "there is no such method; use a fake service"
            self.note(node, f"{name} of a client is patched", new, _SECTION)

    def _method(self, original: cst.Call, updated: cst.Call, name: str, *, is_self: bool) -> cst.Call:
        if name == "health_check":
            assert isinstance(updated.func, cst.Attribute)
            return updated.with_changes(func=updated.func.with_changes(attr=cst.Name("check_health")))
        if name in _TOKENS:
            self.note(original, f"{name} was removed", "the identity of the caller travels by itself", _SECTION)
        elif name in _VERBS and not (is_self and name != "_request"):
            self._http_call(original, name)
        return updated

    def _http_call(self, node: cst.Call, name: str) -> None:
        texts = [_shown(argument.value) for argument in node.args if argument.keyword is None][:2]
        named = {argument.keyword.value: _shown(argument.value) for argument in node.args if argument.keyword}
        if name in ("_request", "request"):
            method = texts.pop(0) if texts else named.get("method", "?")
        else:
            method = name.upper()
        path = texts[0] if texts else named.get("path", named.get("url", named.get("endpoint", "?")))
        where = self._functions[-1] if self._functions else "module"
        if self._is_client:
            self._classes[-1].calls.append(f"{where}: {method} {path}")
            where = f"{self._classes[-1].name}.{where}"
        self.note(node, f"{where} calls {method} {path} over HTTP", "call the method of the gRPC stub", _SECTION)

    def _without_lifespan(self, original: cst.Call, updated: cst.Call) -> cst.Call:
        """Drop `lifespan=http_client_lifespan`: clients need none."""
        kept = [
            new
            for old, new in zip(original.args, updated.args, strict=True)
            if not (old.keyword and old.keyword.value == "lifespan" and self.ours(old.value) == "http_client_lifespan")
        ]
        if len(kept) == len(updated.args):
            return updated
        return updated.with_changes(args=_last(kept, updated.args))

    def _arguments(self, node: cst.Call, arguments: Sequence[cst.Arg]) -> Sequence[cst.Arg]:
        """Return the arguments of `BaseGrpcClient` out of those of a client of version 1."""
        if any(argument.star for argument in arguments):
            what = "the arguments of a client are passed on with a star"
            self.note(node, what, f"{_NEW} takes {', '.join(_KEPT)} and host", _SECTION)
            return arguments
        if self._has_own_constructor(node):
            return arguments  # they are the service's own
        kept: list[cst.Arg] = []
        for index, argument in enumerate(arguments):
            name = argument.keyword.value if argument.keyword else (*_OLD_ORDER, *["?"] * index)[index]
            if name not in _KEPT:
                why = "the address comes from the environment" if name == "base_url" else "the caller travels by itself"
                self.note(node, f"{name} is no argument of {_NEW}", why, _SECTION)
            elif argument.keyword is None and index > 1:
                kept.append(_keyword(name, argument))
            else:
                kept.append(argument)
        return self._with_port(node, _last(kept, arguments) if kept else kept)

    def _has_own_constructor(self, node: cst.Call) -> bool:
        if _is_super_call(node) or _is_base_call(node):
            return self._classes[-1].has_constructor
        name = self._own_client(node.func)
        return name is not None and self.project.clients[name]

    def _with_port(self, node: cst.Call, arguments: Sequence[cst.Arg]) -> Sequence[cst.Arg]:
        positional = sum(argument.keyword is None for argument in arguments)
        names = {argument.keyword.value for argument in arguments if argument.keyword}
        self.note(node, "the port of an HTTP client", "default_port is the gRPC port of the service now", _SECTION)
        if positional > 1 or "default_port" in names:
            return arguments
        port = cst.Arg(cst.Integer(_GRPC_PORT), cst.Name("default_port"), equal=_EQUAL)
        return _last([*arguments, port], arguments) if arguments else [port]

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine:
        """Drop statements that only gave a client its token, and keep the comments beside arguments that have gone."""
        small = original_node.body[0]
        call = small.value if len(original_node.body) == 1 and isinstance(small, cst.Expr) else None
        if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute):
            return with_lost_comments(original_node, updated_node)
        is_own = self._is_client and dotted(call.func.value) == "self"
        is_known = is_own or dotted(call.func.value) in self._instances
        if is_known and call.func.attr.value in _TOKENS:
            return removed(updated_node)
        return with_lost_comments(original_node, updated_node)


_EQUAL = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))


def _keyword(name: str, argument: cst.Arg) -> cst.Arg:
    return argument.with_changes(keyword=cst.Name(name), equal=_EQUAL)


def _last(kept: Sequence[cst.Arg], before: Sequence[cst.Arg]) -> list[cst.Arg]:
    """Return the arguments, the last one with the comma that the last one had."""
    if not kept:
        return []
    inner = [item if isinstance(item.comma, cst.Comma) else item.with_changes(comma=_COMMA) for item in kept[:-1]]
    return [*inner, kept[-1].with_changes(comma=before[-1].comma)]


_COMMA = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))


def _shown(node: cst.BaseExpression) -> str:
    text = text_of(node)
    if text is not None:
        return text
    code = code_of(node)
    return code[2:-1] if isinstance(node, cst.FormattedString) else code


def _is_super_call(node: cst.CSTNode) -> bool:
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
        return False
    return node.func.attr.value == "__init__" and _is_super_of(node.func.value)


def _is_super_of(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Call) and dotted(node.func) == "super"


def _is_base_call(node: cst.CSTNode) -> bool:
    """Tell whether a call is `Base.__init__(self, ...)`."""
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute) or not node.args:
        return False
    return node.func.attr.value == "__init__" and dotted(node.args[0].value) == "self"


def _is_super(statement: cst.CSTNode) -> bool:
    small = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
    return isinstance(small, cst.Expr) and (_is_super_call(small.value) or _is_base_call(small.value))


def _sets_stub(statement: cst.CSTNode) -> bool:
    small = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
    return isinstance(small, cst.Assign) and dotted(small.targets[0].target) == "self.stub"
