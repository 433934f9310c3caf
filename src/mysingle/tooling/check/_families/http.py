"""MS1: calls between services go over gRPC or through the gateway."""

import ast
from collections.abc import Iterator, Mapping

from mysingle.tooling.check._addresses import ADDRESS_WORDS, Whose, classify, parse_address, words
from mysingle.tooling.check._context import Call, Context
from mysingle.tooling.check._scopes import Function
from mysingle.tooling.check._syntax import argument, keyword
from mysingle.tooling.check._values import Made, Object, Ref, Text

__all__ = ["HANDLERS"]

_VERBS = frozenset(
    ["get", "post", "put", "patch", "delete", "head", "options", "request", "stream", "send", "fetch", "ws_connect"]
)
_MODULES = ("httpx", "requests", "aiohttp", "urllib3", "httpx2", "niquests")
_CLIENTS = frozenset(
    [
        "httpx.AsyncClient",
        "httpx.Client",
        "requests.Session",
        "aiohttp.ClientSession",
        "urllib3.PoolManager",
        "urllib3.HTTPConnectionPool",
        "niquests.Session",
        "niquests.AsyncSession",
        "httpx2.AsyncClient",
    ]
)
_OPENERS: Mapping[str, tuple[int, str]] = {
    "urllib.request.urlopen": (0, "url"),
    "urllib.request.urlretrieve": (0, "url"),
    "urllib.request.Request": (0, "url"),
    "httpx.Request": (1, "url"),
    "requests.Request": (1, "url"),
    "http.client.HTTPConnection": (0, "host"),
    "http.client.HTTPSConnection": (0, "host"),
    "websockets.connect": (0, "uri"),
    "websockets.client.connect": (0, "uri"),
    "httpx_sse.aconnect_sse": (2, "url"),
}
_IN_PROCESS = ("ASGITransport", "MockTransport", "WSGITransport")
_SERVICE = (Whose.SERVICE, Whose.LOCAL)
_METHOD_FIRST = ("request", "stream")


def _on_call(context: Context, call: Call) -> None:
    if call.name in _OPENERS:
        _check_address(context, call, "MS101", argument(call.node, *_OPENERS[call.name]))
    elif call.name in _CLIENTS or _is_client_subclass(context, call):
        _check_client(context, call)
    elif isinstance(call.callee, Function):
        _check_helper(context, call, call.callee)
    elif _is_computed(context, call):
        _check_address(context, call, "MS101", argument(call.node, 0, "url"))
    elif call.method in _VERBS and _is_http(context, call):
        _check_address(context, call, "MS101", _url(call))


def _is_computed(context: Context, call: Call) -> bool:
    """`getattr(httpx, method)(url)`."""
    func = call.node.func
    if not isinstance(func, ast.Call) or context.evaluator.name(func.func, call.scope) != "builtins.getattr":
        return False
    owner = context.evaluator.value(func.args[0], call.scope) if func.args else None
    return call.callee is None and isinstance(owner, Ref | Made) and owner.name in (*_CLIENTS, *_MODULES)


def _check_helper(context: Context, call: Call, helper: Function) -> None:
    """`get_json("http://order-service/orders")`, where the helper hands its parameter to a client."""
    if helper.fetches is None:
        helper.fetches = tuple(_fetched(context, helper))
    arguments = helper.node.args
    names = [part.arg for part in (*arguments.posonlyargs, *arguments.args)]
    first = 1 if names[:1] in (["self"], ["cls"]) and isinstance(call.node.func, ast.Attribute) else 0
    for name in helper.fetches:
        index = names.index(name) - first if name in names else len(call.node.args)
        _check_address(context, call, "MS101", argument(call.node, max(index, 0), name))


def _fetched(context: Context, helper: Function) -> Iterator[str]:
    """Return the parameters of a function that are the URLs of its HTTP calls."""
    for node in helper.calls:
        name = context.evaluator.name(node.func, helper.scope)
        owner, _, method = name.rpartition(".")
        if name in _OPENERS:
            given = argument(node, *_OPENERS[name])
        elif method in _VERBS and (owner in _CLIENTS or owner in _MODULES):
            given = argument(node, 1 if method in _METHOD_FIRST else 0, "url")
        else:
            continue
        bindings = helper.scope.names.get(given.id, ()) if isinstance(given, ast.Name) else ()
        if isinstance(given, ast.Name) and [binding.kind for binding in bindings] == ["param"]:
            yield given.id


def _is_client_subclass(context: Context, call: Call) -> bool:
    cls = context.class_of(call.callee) if call.callee is not None else None
    if cls is None or call.method in _VERBS:
        return False
    return any(name in _CLIENTS for name in context.evaluator.bases(cls))


def _is_http(context: Context, call: Call) -> bool:
    """Accept methods of a client, functions of a library, and verbs of something unknown that is given a whole URL."""
    owner, _, _ = call.name.rpartition(".")
    if owner in _CLIENTS or owner in _MODULES:
        return not _is_in_process(context, call.receiver)
    if isinstance(call.receiver, Object):
        return any(name in _CLIENTS for name in context.evaluator.bases(call.receiver.cls))
    return isinstance(call.node.func, ast.Attribute) and _could_be_client(context, call)


def _could_be_client(context: Context, call: Call) -> bool:
    """Tell whether the receiver is unknown, and not a router, test client, cache or dict."""
    if isinstance(call.callee, Ref) and (call.receiver is not None or "." in call.name.rpartition(".")[0]):
        return False
    func = call.node.func
    owner = context.evaluator.value(func.value, call.scope) if isinstance(func, ast.Attribute) else None
    return owner is None or (isinstance(owner, Ref) and "." not in owner.name)


def _is_in_process(context: Context, receiver: Made | Object | None) -> bool:
    if not isinstance(receiver, Made) or receiver.call is None or receiver.scope is None:
        return False
    transport = keyword(receiver.call, "transport")
    return context.evaluator.kind(transport, receiver.scope).endswith(_IN_PROCESS)


def _url(call: Call) -> ast.expr | None:
    index = 1 if call.method in _METHOD_FIRST else 0
    return argument(call.node, index, "url") or argument(call.node, index, "path")


def _check_client(context: Context, call: Call) -> None:
    transport = keyword(call.node, "transport")
    if context.evaluator.kind(transport, call.scope).endswith(_IN_PROCESS):
        return
    base = keyword(call.node, "base_url")
    if base is None and call.name.startswith("aiohttp"):
        base = argument(call.node, 0, "base_url")
    _check_address(context, call, "MS102", base)


def _check_address(context: Context, call: Call, code: str, node: ast.expr | None) -> None:
    if node is None:
        return
    text = context.evaluator.text(node, call.scope)
    found = context.evaluator.value(node, call.scope)
    if isinstance(found, Made) and found.call is not None and found.scope is not None:
        text = context.evaluator.text(found.call.args[0] if found.call.args else None, found.scope)
    if text is not None and call.name.startswith("http.client.") and "://" not in text.shape:
        text = Text(("http://", *text.parts))
    if text is not None and _is_service(context, text, is_known="." in call.name):
        context.report(code, call.node, text.spelled)


def _is_service(context: Context, text: Text, *, is_known: bool) -> bool:
    address = parse_address(text)
    if address is None or address.scheme not in ("", "http", "https", "ws", "wss"):
        return False
    if not address.scheme and not _is_url_by_name(text, is_known=is_known):
        return False
    return classify(address, context.service_hosts, context.outside_hosts) in _SERVICE


def _is_url_by_name(text: Text, *, is_known: bool) -> bool:
    """Accept a name such as `USER_URL` as a URL, and for a known client also `f"{user_service}/users"`."""
    if "://" in text.shape or (is_known and len(text.parts) > 1):
        return True
    hole = text.holes[0]
    return not ADDRESS_WORDS.isdisjoint(words(f"{hole.origin} {hole.name}"))


HANDLERS = {"call": _on_call}
