"""Callers: dependency wrappers become functions that take the request, and nobody waits for them."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import libcst as cst
from libcst.matchers import Comment, findall

from mysingle.tooling.migrate._project import Project
from mysingle.tooling.migrate._routes import FAMILY, ROUTES
from mysingle.tooling.migrate._step import Step, dotted, is_directive

__all__ = ["Auth"]

_SECTION = "authentication"
_DEPENDS = ("fastapi.Depends", "fastapi.Security", "fastapi.params.Depends")
_REQUESTS = ("fastapi.Request", "starlette.requests.Request", "fastapi.requests.Request")
_OWN_TOKENS = {
    "fastapi.security.OAuth2PasswordBearer": "OAuth2PasswordBearer",
    "fastapi.security.HTTPBearer": "HTTPBearer",
    "jose.jwt.decode": "jwt.decode",
    "jwt.decode": "jwt.decode",
}


class _Dependency(NamedTuple):
    """A parameter that holds the caller, and the function that gives it."""

    parameter: str
    function: str


class Auth(Step):
    """`user = Depends(...)` of a route becomes `user = get_current_...(request)`; tokens read by hand are reported."""

    trigger = re.compile(
        rf"\b({'|'.join(sorted(FAMILY))})\b|\bjwt\b|\bOAuth2PasswordBearer\b|\bHTTPBearer\b|service_type"
    )

    @classmethod
    def concerns(cls, text: str, project: Project) -> bool:
        """Tell whether a text may have something for this step: calls of routes by hand count too."""
        return super().concerns(text, project) or any(f"{name}(" in text for name in project.routes)

    def leave_Await(self, original_node: cst.Await, updated_node: cst.Await) -> cst.BaseExpression:
        """Wait no longer: the functions of the family answer at once."""
        call = original_node.expression
        is_ours = isinstance(call, cst.Call) and self.ours(call.func) in FAMILY
        return updated_node.expression if is_ours else updated_node

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.Call:
        """`Depends(make_dependency())` needs no second call, and tokens are not read by hand."""
        path = self.imported(original_node.func)
        if path in _OWN_TOKENS:
            why = "the gateway or the middleware has verified the token; ask mysingle.auth for the caller"
            self.note(original_node, f"{_OWN_TOKENS[path]} reads a token by hand", why, _SECTION)
        self._tell_direct(original_node, path or dotted(original_node.func))
        self._tell_stricter(original_node, original_node.func)
        if path not in _DEPENDS or not original_node.args:
            return updated_node
        inner = original_node.args[0].value
        self._tell_stricter(original_node, inner)
        if isinstance(inner, cst.Call) and not inner.args and self.ours(inner.func) in FAMILY:
            first = updated_node.args[0]
            assert isinstance(first.value, cst.Call)
            return updated_node.with_changes(args=[first.with_changes(value=first.value.func), *updated_node.args[1:]])
        return updated_node

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        """Rewrite the parameters of a route that hold the caller."""
        found = [item for param in _parameters(original_node.params) if (item := self._dependency(param))]
        is_block = isinstance(updated_node.body, cst.IndentedBlock)
        if not found or not is_block or not _is_route(original_node):
            return updated_node
        request, params = self._request(original_node.params, updated_node.params, [item.parameter for item in found])
        first, *others = (self._statement(item, request) for item in found)
        lost = _lost(original_node.params, params)
        lines = [first.with_changes(leading_lines=[*first.leading_lines, *lost]), *others]
        return updated_node.with_changes(params=params, body=_with_lines(updated_node.body, lines))

    def _tell_stricter(self, node: cst.Call, function: cst.BaseExpression) -> None:
        old = self.ours(function) or ""
        new = FAMILY.get(old, "")
        if new == "get_current_active_verified_user" and "verified" not in old:
            why = "it asks for an active account with a verified address; is that right here?"
            self.note(node, f"{old} is {new} now", why, _SECTION)

    def _tell_direct(self, node: cst.Call, path: str) -> None:
        """Tell about a route that is called as a function, with the caller as an argument."""
        given = {item.keyword.value for item in node.args if item.keyword}
        dropped = sorted(given & self.project.routes.get(path.rpartition(".")[2], frozenset()))
        if dropped:
            why = "a route takes the request instead; send one, and be somebody with mysingle.testing"
            self.note(node, f"a route is called with {', '.join(dropped)}", why, _SECTION)

    def visit_Subscript(self, node: cst.Subscript) -> bool | None:
        """Tell about `app.dependency_overrides[get_current_user]`."""
        if dotted(node.value).rpartition(".")[2] == "dependency_overrides":
            self._tell_override(node, *(item.slice.value for item in node.slice if isinstance(item.slice, cst.Index)))
        return None

    def visit_Dict(self, node: cst.Dict) -> bool | None:
        """Tell about `app.dependency_overrides.update({get_current_user: ...})`."""
        self._tell_override(node, *(item.key for item in node.elements if isinstance(item, cst.DictElement)))
        return None

    def _tell_override(self, node: cst.CSTNode, *keys: cst.BaseExpression) -> None:
        for name in (self.ours(key) for key in keys):
            if name in FAMILY:
                why = "routes call the function now, and no override reaches it; be somebody with mysingle.testing"
                self.note(node, f"{name} is overridden", why, _SECTION)

    def _dependency(self, param: cst.Param) -> _Dependency | None:
        """Return what a parameter depends on, when that is one of our functions."""
        call = param.default
        if call is None and param.annotation is not None:
            call = _annotated(param.annotation.annotation)
        if not isinstance(call, cst.Call) or self.imported(call.func) not in _DEPENDS or len(call.args) != 1:
            return None
        inner = call.args[0].value
        inner = inner.func if isinstance(inner, cst.Call) and not inner.args else inner
        name = self.ours(inner)
        if name not in FAMILY:
            return None
        self.unused |= {"Depends", "Security", "Annotated", dotted(inner)}
        self.unused |= _names(param.annotation)
        return _Dependency(param.name.value, FAMILY[name])

    def _statement(self, item: _Dependency, request: str) -> cst.SimpleStatementLine:
        function = self.need(f"mysingle.auth.{item.function}").value
        text = f"{item.parameter} = {function}({request})\n"
        return cst.ensure_type(cst.parse_statement(text), cst.SimpleStatementLine)

    def _request(
        self, original: cst.Parameters, updated: cst.Parameters, dropped: Sequence[str]
    ) -> tuple[str, cst.Parameters]:
        """Return the name of the request, and the parameters with it and without those that are dropped."""
        names = {param.name.value for param in _parameters(original)}
        for param in _parameters(original):
            if param.annotation is not None and self.imported(param.annotation.annotation) in _REQUESTS:
                return param.name.value, _without(updated, dropped)
        name = "request" if "request" not in names else "http_request"
        self.need("fastapi.Request")
        return name, _without(_with_request(updated, name, dropped), dropped)


def _lost(before: cst.Parameters, after: cst.Parameters) -> list[cst.EmptyLine]:
    """Return the comments inside of parameters that have gone, for lines of their own."""
    kept = findall(after, Comment())
    gone = [item for item in findall(before, Comment()) if isinstance(item, cst.Comment) and item not in kept]
    return [cst.EmptyLine(comment=item) for item in gone if not is_directive(item)]


def _parameters(params: cst.Parameters) -> list[cst.Param]:
    return [*params.posonly_params, *params.params, *params.kwonly_params]


def _is_route(node: cst.FunctionDef) -> bool:
    calls = [item.decorator for item in node.decorators if isinstance(item.decorator, cst.Call)]
    return any(isinstance(call.func, cst.Attribute) and call.func.attr.value in ROUTES for call in calls)


def _annotated(node: cst.BaseExpression) -> cst.BaseExpression | None:
    """Return the last argument of `Annotated[type, ...]`."""
    if not isinstance(node, cst.Subscript) or dotted(node.value).rpartition(".")[2] != "Annotated":
        return None
    last = node.slice[-1].slice
    return last.value if isinstance(last, cst.Index) else None


def _names(annotation: cst.Annotation | None) -> set[str]:
    """Return the names in an annotation, whose imports may go with it."""
    found: set[str] = set()

    class _Collector(cst.CSTVisitor):
        def visit_Name(self, node: cst.Name) -> None:
            found.add(node.value)

    if annotation is not None:
        annotation.visit(_Collector())
    return found


def _with_request(params: cst.Parameters, name: str, dropped: Sequence[str]) -> cst.Parameters:
    """Put `request: Request` where a dropped parameter stood, or first where only that is allowed."""
    new = cst.Param(cst.Name(name), cst.Annotation(cst.Name("Request")), default=None)
    before: list[cst.Param] = []
    for index, param in enumerate(params.params):
        if param.name.value in dropped and all(item.default is None for item in before):
            items = [*before, new.with_changes(comma=param.comma), *params.params[index + 1 :]]
            return params.with_changes(params=items)
        before.append(param)
    comma = params.params[0].comma if len(params.params) > 1 else cst.MaybeSentinel.DEFAULT
    return params.with_changes(params=[new.with_changes(comma=comma), *params.params])


def _without(params: cst.Parameters, dropped: Sequence[str]) -> cst.Parameters:
    positional, keyword = _kept(params.params, dropped), _kept(params.kwonly_params, dropped)
    star = params.star_arg
    if not keyword and isinstance(star, cst.ParamStar):
        star = cst.MaybeSentinel.DEFAULT
        positional = (
            [*positional[:-1], positional[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)] if positional else []
        )
    return params.with_changes(params=positional, kwonly_params=keyword, star_arg=star)


def _kept(params: Sequence[cst.Param], dropped: Sequence[str]) -> list[cst.Param]:
    kept = [param for param in params if param.name.value not in dropped]
    if kept and kept[-1] is not params[-1]:
        kept[-1] = kept[-1].with_changes(comma=params[-1].comma)
    return kept


def _with_lines(body: cst.BaseSuite, lines: Sequence[cst.BaseStatement]) -> cst.BaseSuite:
    """Return a body with lines after its docstring."""
    assert isinstance(body, cst.IndentedBlock)
    first = body.body[0] if body.body else None
    small = first.body[0] if isinstance(first, cst.SimpleStatementLine) else None
    at = int(isinstance(small, cst.Expr) and isinstance(small.value, cst.SimpleString | cst.ConcatenatedString))
    return body.with_changes(body=[*body.body[:at], *lines, *body.body[at:]])
