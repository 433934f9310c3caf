"""MS2, without the routes: who is calling is what `mysingle.auth` says, and nobody reads tokens or headers by hand."""

import ast
import re

from mysingle.tooling.check._context import Call, Context
from mysingle.tooling.check._scopes import Function, Scope
from mysingle.tooling.check._syntax import keyword
from mysingle.tooling.check._values import Made, Ref, Text
from mysingle.tooling.check.findings import Edit, Span

__all__ = ["HANDLERS"]

_TOKEN_MODULES = ("jwt", "jose.jwt", "joserfc.jwt", "python_jwt", "jwcrypto.jwt", "joserfc.jws", "joserfc.JsonWebToken")
_TOKEN_CALLS = frozenset(
    [
        "decode",
        "decode_complete",
        "encode",
        "get_unverified_header",
        "get_unverified_claims",
        "get_unverified_headers",
        "PyJWKClient",
        "PyJWT",
        "JWT",
        "extract_compact",
        "deserialize_compact",
        "get_signing_key_from_jwt",
        "verify",
    ]
)
_TOKEN_CLASSES = frozenset({"jwt.PyJWT", "jwt.PyJWKClient", "jwcrypto.jwt.JWT", "joserfc.JsonWebToken"})
_GOOGLE = "google.oauth2.id_token."
_DECODERS = frozenset({"base64.urlsafe_b64decode", "base64.b64decode", "base64.standard_b64decode"})
_AUTHORIZATION = re.compile(r"(proxy-)?authorization", re.IGNORECASE)
_TOKEN_COOKIE = re.compile(r"(access|auth|id|session|jwt|bearer)[_-]?(token|jwt)|jwt", re.IGNORECASE)
_IDENTITY = re.compile(r"x-user-\w+|x-consumer-\w+|x-authenticated-\w+|x-kong-user\S*", re.IGNORECASE)
_BEARER = re.compile(r"\s*bearer\s*", re.IGNORECASE)
_TEXT_CUTS = ("startswith", "removeprefix", "split", "partition", "replace", "lstrip", "strip")
_READS = ("get", "getlist", "get_all", "pop", "getall")
_SYNCHRONOUS = re.compile(
    r"mysingle\.get_current_(active_verified_user|active_user|active_superuser|user_optional|user)$"
)


def _on_call(context: Context, call: Call) -> None:
    _check_token(context, call)
    if call.name.startswith("fastapi.security.") and call.method[:1].isupper() and call.method != "SecurityScopes":
        context.report("MS202", call.node, f"`{call.method}`")
    elif call.name == "fastapi.Header":
        _check_header_parameter(context, call)
    elif call.name == "fastapi.Cookie":
        _check_cookie_parameter(context, call)
    elif call.method in _READS and isinstance(call.node.func, ast.Attribute) and call.node.args:
        _check_read(context, call.node, call.node.func.value, call.node.args[0], call.scope)
    elif call.method in _TEXT_CUTS and isinstance(call.node.func, ast.Attribute):
        _check_cut(context, call)


def _check_token(context: Context, call: Call) -> None:
    owner = call.name.rpartition(".")[0]
    is_library = owner in _TOKEN_MODULES or owner in _TOKEN_CLASSES
    if (
        (is_library and call.method in _TOKEN_CALLS)
        or call.name.startswith(_GOOGLE)
        or (call.name in _DECODERS and call.node.args and _is_part_of_token(context, call.node.args[0], call.scope))
    ):
        context.report("MS201", call.node, call.name)


def _is_part_of_token(context: Context, node: ast.expr, scope: Scope) -> bool:
    """Tell whether a text is what stands between the dots of a token: `token.split(".")[1]`, with padding behind it."""
    if isinstance(node, ast.BinOp):
        return _is_part_of_token(context, node.left, scope)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("encode", "ljust"):
        return _is_part_of_token(context, node.func.value, scope)
    if isinstance(node, ast.Name):
        return _is_bound_to_part(context, node, scope)
    return isinstance(node, ast.Subscript) and _is_split(node.value, scope)


def _is_split(node: ast.expr, scope: Scope) -> bool:
    bindings = scope.names.get(node.id, ()) if isinstance(node, ast.Name) else ()
    return _splits_at_dots(node) or any(
        _splits_at_dots(binding.node) for binding in bindings if binding.kind == "value"
    )


def _is_bound_to_part(context: Context, node: ast.Name, scope: Scope) -> bool:
    for binding in scope.names.get(node.id, ()):
        if binding.kind == "unpack" and _splits_at_dots(binding.node):
            return True
        is_before = binding.kind == "value" and binding.line < node.lineno and isinstance(binding.node, ast.expr)
        if is_before and _is_part_of_token(context, binding.node, scope):
            return True
    return False


def _splits_at_dots(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr="split" | "rsplit"), args=[ast.Constant(value="." | b"."), *_]):
            return True
        case _:
            return False


def _check_header_parameter(context: Context, call: Call) -> None:
    given = context.evaluator.literal(keyword(call.node, "alias"), call.scope)
    name = given if given is not None else _parameter_of(context, call.node).replace("_", "-")
    _check_name(context, call.node, name, f"header parameter `{name}`")


def _check_cookie_parameter(context: Context, call: Call) -> None:
    given = context.evaluator.literal(keyword(call.node, "alias"), call.scope)
    name = given if given is not None else _parameter_of(context, call.node)
    if _TOKEN_COOKIE.fullmatch(name):
        context.report("MS202", call.node, f"cookie parameter `{name}`")


def _parameter_of(context: Context, node: ast.AST) -> str:
    """Return the parameter whose default or annotation a call is in."""
    child, parent = node, context.parent(node)
    while parent is not None and not isinstance(parent, ast.arguments | ast.arg | ast.stmt):
        child, parent = parent, context.parent(parent)
    if isinstance(parent, ast.arg):
        return parent.arg
    if not isinstance(parent, ast.arguments):
        return ""
    positional = [*parent.posonlyargs, *parent.args]
    behind = dict(zip(parent.defaults, positional[len(positional) - len(parent.defaults) :], strict=True))
    named = {
        value: name for name, value in zip(parent.kwonlyargs, parent.kw_defaults, strict=True) if value is not None
    }
    found = behind.get(child) or named.get(child)  # type: ignore[call-overload]  # any node may be asked for
    return found.arg if found is not None else ""


def _on_subscript(context: Context, node: ast.Subscript, scope: Scope) -> None:
    _check_read(context, node, node.value, node.slice, scope)


def _check_read(context: Context, node: ast.AST, owner: ast.expr, key: ast.expr, scope: Scope) -> None:
    name = context.evaluator.literal(key, scope)
    if not name:
        return
    where = _source_of(context, owner, scope)
    if where == "headers":
        _check_name(context, node, name, f"`headers[{name!r}]`")
    elif where == "cookies" and _TOKEN_COOKIE.fullmatch(name):
        context.report("MS202", node, f"`cookies[{name!r}]`")


def _check_name(context: Context, node: ast.AST, name: str, shown: str) -> None:
    if _AUTHORIZATION.fullmatch(name):
        context.report("MS202", node, shown)
    elif _IDENTITY.fullmatch(name):
        context.report("MS203", node, shown)


def _source_of(context: Context, node: ast.expr, scope: Scope, depth: int = 0) -> str:
    """Tell whether an expression is the headers or cookies of a request; those of an answer are none."""
    if depth > 4:
        return ""
    match node:
        case ast.Attribute(attr="headers" | "cookies" as what):
            return "" if _is_answer(context, node.value, scope) else what
        case ast.Subscript(value=ast.Name(id="scope"), slice=ast.Constant(value="headers")):
            return "headers"
        case ast.DictComp(generators=[generator]):
            return _source_of(context, generator.iter, scope, depth + 1)
        case ast.Call():
            return _source_of_copy(context, node, scope, depth)
        case ast.Name():
            return _source_of_name(context, node, scope, depth)
        case _:
            return ""


def _source_of_copy(context: Context, node: ast.Call, scope: Scope, depth: int) -> str:
    """`dict(request.headers)`, `Headers(scope=scope)`, `request.headers.items()`."""
    match node:
        case ast.Call(func=ast.Name(id="dict" | "MutableHeaders" | "Headers"), args=[first, *_]):
            return _source_of(context, first, scope, depth + 1)
        case ast.Call(func=ast.Name(id="Headers" | "MutableHeaders"), keywords=[ast.keyword(arg="scope" | "raw")]):
            return "headers"
        case ast.Call(func=ast.Attribute(value=value, attr="items" | "copy")):
            return _source_of(context, value, scope, depth + 1)
        case _:
            return ""


def _source_of_name(context: Context, node: ast.Name, scope: Scope, depth: int) -> str:
    for binding in scope.names.get(node.id, ()):
        if binding.kind in ("value", "annotation") and isinstance(binding.node, ast.expr):
            found = _source_of(context, binding.node, scope, depth + 1)
            if found:
                return found
    found_value = context.evaluator.value(node, scope)
    is_headers = isinstance(found_value, Made) and found_value.name.endswith(
        ("datastructures.Headers", "fastapi.Headers")
    )
    return "headers" if is_headers else ""


def _is_answer(context: Context, node: ast.expr, scope: Scope) -> bool:
    kind = context.evaluator.kind(node, scope)
    if kind:
        return not kind.endswith(("Request", "WebSocket", "HTTPConnection"))
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    if not name:
        return True
    found = context.evaluator.value(node, scope)
    is_client = isinstance(found, Made | Ref) and "." in found.name
    return is_client or any(
        word in name.lower() for word in ("resp", "answer", "reply", "result", "client", "session", "self")
    )


def _check_cut(context: Context, call: Call) -> None:
    """`header.removeprefix("Bearer ")` and its like."""
    for given in call.node.args[:1]:
        found = context.evaluator.value(given, call.scope)
        cuts = isinstance(found, Text) and found.literal is not None and len(found.literal) > 5
        if cuts and _BEARER.fullmatch(found.literal or ""):  # type: ignore[union-attr]  # a Text, as asked above
            context.report("MS202", call.node, f"`{call.method}({found.literal!r})`")  # type: ignore[union-attr]  # same


def _on_await(context: Context, node: ast.Await, scope: Scope) -> None:
    if not isinstance(node.value, ast.Call):
        return
    name = context.evaluator.name(node.value.func, scope)
    if _SYNCHRONOUS.match(name):
        start, inner = context.span(node), context.span(node.value)
        edit = Edit(Span(start.line, start.column, inner.line, inner.column), "")
        context.report("MS204", node, name.rpartition(".")[2], (edit,))


def _on_function(context: Context, function: Function) -> None:
    """ASGI code that looks for the header in the raw list."""
    names = {binding.arg for binding in function.node.args.args}
    if "scope" not in names:
        return
    for node in ast.walk(function.node):
        if isinstance(node, ast.Constant) and isinstance(node.value, bytes):
            name = node.value.decode("latin-1")
            parent = context.parent(node)
            if isinstance(parent, ast.Compare) or (isinstance(parent, ast.Call) and parent.args[:1] == [node]):
                _check_name(context, node, name, f"`{name}`")


HANDLERS = {"call": _on_call, "subscript": _on_subscript, "await": _on_await, "function": _on_function}
