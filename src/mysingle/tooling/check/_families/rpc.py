"""MS3: gRPC goes through a `BaseGrpcClient`, and always carries who is asking."""

import ast
import re

from mysingle.tooling.check._context import Call, Context
from mysingle.tooling.check._entries import runs_without_context
from mysingle.tooling.check._scopes import Class, Function
from mysingle.tooling.check._syntax import keyword, spelled
from mysingle.tooling.check._values import Made, Object, Ref, Value

__all__ = ["HANDLERS"]

_BASE = "mysingle.BaseGrpcClient"
_CHANNELS = re.compile(
    r"grpc\.(aio\.)?(insecure_channel|secure_channel|Channel|intercept_channel)$|grpclib\.client\.Channel$"
)
_STUB = re.compile(r"\w*Stub$")
_GENERATED = re.compile(r"(^|\.)\w*(_pb2_grpc|_grpc|_pb2)\.\w+Stub$")
_IDS = ("user_id", "request")


def _on_call(context: Context, call: Call) -> None:
    if _CHANNELS.match(call.name):
        context.report("MS301", call.node, call.name)
    elif _STUB.match(call.method) and _is_stub(context, call):
        _check_stub(context, call)
    else:
        _check_client(context, call)


def _is_stub(context: Context, call: Call) -> bool:
    """Accept a generated class, or one whose name ends in `Stub` and that is given a channel."""
    if call.name and _GENERATED.search(call.name):
        return True
    channel = call.node.args[0] if call.node.args else keyword(call.node, "channel")
    is_channel = isinstance(channel, ast.Name | ast.Attribute) and "channel" in spelled(channel).lower()
    return is_channel and not isinstance(call.callee, Function)


def _check_stub(context: Context, call: Call) -> None:
    cls = call.scope.cls
    channel = call.node.args[0] if call.node.args else keyword(call.node, "channel")
    if cls is not None and _is_own_channel(channel) and _is_client(context, cls):
        return
    owner = context.evaluator.value(channel.value, call.scope) if isinstance(channel, ast.Attribute) else None
    if owner is not None and _is_client_value(context, owner):
        return
    context.report("MS302", call.node, call.method)


def _is_own_channel(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"


def _is_client(context: Context, cls: Class) -> bool:
    """Tell whether a class is a client; a base that the check cannot see counts when it is called one."""
    return any(name == _BASE or name.endswith(("GrpcClient", "RpcClient")) for name in context.evaluator.bases(cls))


def _is_client_value(context: Context, value: Value) -> bool:
    if isinstance(value, Object):
        return _is_client(context, value.cls)
    return isinstance(value, Made) and value.name.endswith("GrpcClient")


def _check_client(context: Context, call: Call) -> None:
    made = call.callee
    is_ours = isinstance(made, Class) and _is_client(context, made)
    is_seen = isinstance(made, Ref) and made.name.endswith("GrpcClient") and made.name[:1].islower()
    if not (is_ours or is_seen) or call.is_partial or _has_user(context, call):
        return
    if isinstance(made, Class) and _sets_user_itself(context, made):
        return
    if runs_without_context(context, call.scope):
        context.report("MS303", call.node, call.method)


def _has_user(context: Context, call: Call) -> bool:
    if any(isinstance(given, ast.Starred) for given in call.node.args):
        return True
    names = _positional(call.callee, len(call.node.args)) | {given.arg for given in call.node.keywords}
    none = {
        given.arg for given in call.node.keywords if isinstance(given.value, ast.Constant) and given.value.value is None
    }
    return None in names or any(name in names - none for name in _IDS)


def _positional(callee: Value | None, count: int) -> set[str | None]:
    """Return the names of the parameters that are given by position."""
    if isinstance(callee, Class):
        init = callee.scope.names.get("__init__")
        if init and isinstance(init[-1].extra, Function):
            arguments = init[-1].extra.node.args
            return {part.arg for part in [*arguments.posonlyargs, *arguments.args][1 : count + 1]}
    return set(("service_name", "default_port", "host", "user_id", "correlation_id", "request")[:count])


def _sets_user_itself(context: Context, cls: Class) -> bool:
    """Tell whether the class gives its base a user that no caller gives."""
    init = cls.scope.names.get("__init__")
    if not init or not isinstance(init[-1].extra, Function):
        return False
    taken = {part.arg for part in (*init[-1].extra.node.args.args, *init[-1].extra.node.args.kwonlyargs)}
    given = [part.value for call in _super_calls(init[-1].extra) for part in call.keywords if part.arg in _IDS]
    return any(not (isinstance(value, ast.Name) and value.id in taken) for value in given) and not all(
        isinstance(value, ast.Constant) and value.value is None for value in given
    )


def _super_calls(function: Function) -> list[ast.Call]:
    return [
        call
        for call in function.calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "__init__"
        and not isinstance(call.func.value, ast.Constant)
    ]


def _on_class(context: Context, cls: Class) -> None:
    init = cls.scope.names.get("__init__")
    if not init or not isinstance(init[-1].extra, Function) or not _is_client(context, cls):
        return
    function = init[-1].extra
    arguments = function.node.args
    taken = {part.arg for part in (*arguments.args, *arguments.kwonlyargs)} & {"user_id", "correlation_id", "request"}
    calls = _super_calls(function)
    if not taken or not calls or any(_hands_all_on(call) for call in calls):
        return
    given = {part.id for call in calls for part in ast.walk(call) if isinstance(part, ast.Name)}
    lost = sorted(taken - given)
    if lost:
        context.report("MS304", calls[0], cls.name)


def _hands_all_on(call: ast.Call) -> bool:
    return any(given.arg is None for given in call.keywords) or any(
        isinstance(given, ast.Starred) for given in call.args
    )


HANDLERS = {"call": _on_call, "class": _on_class}
