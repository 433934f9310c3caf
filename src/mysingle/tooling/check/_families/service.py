"""MS7: a service is made by the factory, keeps its endpoints, and owns no users."""

import ast

from mysingle.tooling.check._context import Call, Context
from mysingle.tooling.check._scopes import Class, Function, Scope
from mysingle.tooling.check._syntax import argument, keyword
from mysingle.tooling.check._values import Made, Object, Place, Ref, Value

__all__ = ["HANDLERS"]

_MIDDLEWARE = "starlette.middleware.base.BaseHTTPMiddleware"
_USERS = frozenset(
    {
        "mysingle.User",
        "mysingle.OAuthAccount",
        "fastapi_users_db_beanie.BeanieBaseUser",
        "fastapi_users_db_beanie.BaseOAuthAccount",
    }
)
_DOCUMENTS = frozenset(
    [
        "mysingle.BaseDocument",
        "mysingle.BaseTimeDocument",
        "mysingle.BaseDocumentWithUserId",
        "mysingle.BaseTimeDocWithUserId",
        "mysingle.BaseDoc",
        "mysingle.BaseTimeDoc",
        "mysingle.BaseDocWithUserId",
        "beanie.Document",
        "beanie.odm.documents.Document",
        "Document",
        "beanie.UnionDoc",
        "mongoengine.Document",
        "odmantic.Model",
    ]
)
_OWNED = frozenset({"User", "OAuthAccount", "Users", "UserDocument", "UserModel", "OAuthAccounts", "UserDoc"})
_COLLECTIONS = frozenset({"users", "user", "oauth_accounts", "oauthaccounts", "oauth_account"})
_SWITCHES = ("enable_metrics", "enable_health_check")


def _on_call(context: Context, call: Call) -> None:
    if call.is_partial:
        return
    match call.name:
        case "mysingle.create_service_config" | "mysingle.ServiceConfig":
            _check_switches(context, call)
            _check_resources(context, call)
        case "mysingle.create_fastapi_app" | "beanie.init_beanie" | "mysingle.init_mongo":
            _check_documents(context, call)
        case "fastapi.FastAPI":
            made = context.evaluator.value(call.node, call.scope)
            if not isinstance(made, Made) or made.place not in context.fact("mounted", _mounted):
                context.report("MS705", call.node, "FastAPI")
        case _:
            _check_middleware(context, call)


def _mounted(context: Context) -> set[Place]:
    """Return the apps of this file that are mounted below another one, whose chassis they share."""
    found: set[Place] = set()
    for node, scope in context.module.calls:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "mount":
            app = context.evaluator.value(argument(node, 1, "app"), scope)
            found.update([app.place] if isinstance(app, Made) and app.place is not None else [])
    return found


def _check_switches(context: Context, call: Call) -> None:
    for name in _SWITCHES:
        given = keyword(call.node, name)
        if isinstance(given, ast.Constant) and given.value is False:
            context.report("MS704", given, f"`{name}=False`")


def _check_resources(context: Context, call: Call) -> None:
    resources = keyword(call.node, "resources")
    for element, inner in context.evaluator.elements(resources, call.scope) if resources is not None else ():
        name = _resource_name(context, context.evaluator.value(element, inner))
        if _is_critical(context, call, name) is False:
            context.report("MS703", element, f"the resource `{name or ast.unparse(element)}`")


def _resource_name(context: Context, value: Value | None) -> str | None:
    """Return the `name` that a resource has; None when the code does not tell."""
    cls = value.cls if isinstance(value, Object) else None
    bindings = cls.scope.names.get("name") if cls is not None else None
    return context.evaluator.literal(bindings[-1].node, cls.scope) if bindings and cls is not None else None


def _is_critical(context: Context, call: Call, name: str | None) -> bool | None:
    """Tell whether a configuration names a check; None when that cannot be seen."""
    found = keyword(call.node, "critical_checks")
    if found is None:
        return None if any(part.arg is None for part in call.node.keywords) else False
    given, scope = context.evaluator.definition(found, call.scope)
    if isinstance(given, ast.Constant) and given.value is None:
        return False
    if isinstance(given, ast.Dict):
        names = {context.evaluator.literal(key, scope) for key in given.keys if key is not None}
        return name in names if name is not None else bool(names)
    elements = context.evaluator.elements(given, scope)
    if not elements:
        return False if isinstance(given, ast.List | ast.Tuple | ast.Set) else None
    names = {context.evaluator.literal(element, inner) for element, inner in elements}
    return None if None in names else (name in names if name is not None else True)


def _check_documents(context: Context, call: Call) -> None:
    given = keyword(call.node, "document_models")
    if given is None and call.name == "mysingle.create_fastapi_app":
        given = argument(call.node, 1, "document_models")
    elements = context.evaluator.elements(given, call.scope) if given is not None else []
    for element, inner in elements:
        _check_document(context, element, inner)
    if call.name == "mysingle.create_fastapi_app" and (elements or _is_imported(context, call, given)):
        _check_mongodb(context, call)


def _is_imported(context: Context, call: Call, given: ast.expr | None) -> bool:
    """Tell whether the documents come from a place that the check cannot read: nobody imports an empty list."""
    return given is not None and isinstance(context.evaluator.value(given, call.scope), Ref)


def _check_document(context: Context, element: ast.expr, scope: Scope) -> None:
    found = context.evaluator.value(element, scope)
    is_users = isinstance(found, Ref) and (found.name in _USERS or found.last in _OWNED)
    is_own = isinstance(found, Class) and (found.name in _OWNED or bool(set(context.evaluator.bases(found)) & _USERS))
    if (is_users or is_own) and not context.service.is_iam:
        context.report("MS702", element, ast.unparse(element))


def _check_mongodb(context: Context, call: Call) -> None:
    """Ask that the configuration of an app with documents names the check of MongoDB."""
    config = argument(call.node, 0, "service_config") or keyword(call.node, "config")
    made = _config_call(context, config, call.scope) if config is not None else None
    if made is None or context.service.is_iam:
        return
    name = context.evaluator.name(made.node.func, made.scope)
    if name == "mysingle.create_service_config" and _is_critical(context, made, "mongodb") is False:
        context.report("MS703", call.node, "`mongodb`, which `document_models` needs,")


def _config_call(context: Context, node: ast.expr, scope: Scope) -> Call | None:
    """Return the call that made a configuration."""
    expression, inner = context.evaluator.definition(node, scope)
    if not isinstance(expression, ast.Call):
        return None
    callee = context.evaluator.value(expression.func, inner)
    if isinstance(callee, Function):
        for returned in callee.returns:
            if isinstance(returned, ast.Call):
                return _config_call(context, returned, callee.scope)
    node = context.evaluator.expanded(expression, inner)
    return Call(node, inner, callee, context.evaluator.name(node.func, inner), "")


def _check_middleware(context: Context, call: Call) -> None:
    given = [*call.node.args, *(part.value for part in call.node.keywords)]
    if call.method in ("add_middleware", "Middleware") and any(
        context.evaluator.name(part, call.scope) == _MIDDLEWARE for part in given
    ):
        context.report("MS701", call.node, "BaseHTTPMiddleware")
    elif (
        call.method == "middleware"
        and call.node.args
        and context.evaluator.literal(call.node.args[0], call.scope) == "http"
    ):
        context.report("MS701", call.node, ast.unparse(call.node))
    elif call.name == _MIDDLEWARE:
        context.report("MS701", call.node, "BaseHTTPMiddleware")


def _on_class(context: Context, cls: Class) -> None:
    bases = set(context.evaluator.bases(cls))
    if _MIDDLEWARE in bases or any(base.endswith(".BaseHTTPMiddleware") for base in bases):
        context.report("MS701", cls.node, cls.name)
    if context.service.is_iam or not bases & (_DOCUMENTS | _USERS):
        return
    if cls.name in _OWNED or bases & _USERS or _collection(context, cls) in _COLLECTIONS:
        context.report("MS702", cls.node, cls.name)


def _collection(context: Context, cls: Class) -> str | None:
    """Return the name of the collection, from the inner class `Settings`."""
    inner = cls.scope.names.get("Settings")
    settings = inner[-1].extra if inner else None
    names = settings.scope.names.get("name") if isinstance(settings, Class) else None
    return context.evaluator.literal(names[-1].node, settings.scope) if names and isinstance(settings, Class) else None


HANDLERS = {"call": _on_call, "class": _on_class}
