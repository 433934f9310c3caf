"""MS6: nothing that runs in the event loop may wait without `await`."""

import ast
import re

from mysingle.tooling.check._context import Call, Context
from mysingle.tooling.check._scopes import Function, Scope
from mysingle.tooling.check._values import Object, Ref
from mysingle.tooling.check.findings import Edit

__all__ = ["HANDLERS"]

_SLEEP = re.compile(r"time\.sleep$")
_NETWORK = re.compile(
    r"(requests|niquests)\.(get|post|put|patch|delete|head|options|request|Session\.(get|post|put|patch|delete|head|options|request|send))$"
    r"|httpx\.(get|post|put|patch|delete|head|options|request|stream|Client\.(get|post|put|patch|delete|head|options|request|stream|send))$"
    r"|urllib\.request\.(urlopen|urlretrieve)$|urllib3\.(request|PoolManager\.(request|urlopen))$"
    r"|http\.client\.HTTPS?Connection\.(request|getresponse|connect)$"
    r"|socket\.(create_connection|getaddrinfo|gethostbyname|gethostbyaddr|socket\.(connect|recv|send|sendall|accept))$"
    r"|smtplib\.(SMTP|SMTP_SSL)(\.(sendmail|send_message|connect|login|starttls|quit))?$"
    r"|ftplib\.FTP(\.\w+)?$|paramiko\.\w+(\.connect|\.exec_command)$|boto3\.(Client\.\w+)$|websocket\.create_connection$"
    r"|asyncio\.run$"
)
_PROCESS = re.compile(
    r"subprocess\.(run|call|check_call|check_output|getoutput|getstatusoutput|Popen(\.(wait|communicate))?)$"
    r"|os\.(system|popen|wait|waitpid|spawn\w+)$|multiprocessing\.Process\.join$|builtins\.input$|threading\.Thread\.join$"
    r"|concurrent\.futures\.(Future\.(result|exception)|wait|as_completed)$|threading\.(Event|Barrier|Condition)\.wait$"
    r"|queue\.(Lifo|Priority|Simple)?Queue\.(get|join)$"
)
_FILE = re.compile(
    r"builtins\.open$|io\.open$|codecs\.open$|gzip\.open$|bz2\.open$|lzma\.open$|zipfile\.ZipFile$|tarfile\.open$"
    r"|pathlib\.Path\.(open|read_text|read_bytes|write_text|write_bytes)$"
    r"|shutil\.(copy|copy2|copyfile|copytree|rmtree|move|make_archive|unpack_archive)$"
    r"|pandas\.(read_(csv|parquet|excel|json|sql|feather|hdf|sql_query|sql_table))$|numpy\.(loadtxt|genfromtxt|save|savez|load)$"
    r"|pandas\.DataFrame\.to_(csv|parquet|excel|sql|feather)$"
)
_DATABASE = re.compile(
    r"(sqlite3|psycopg2|psycopg|pymysql|MySQLdb)\.connect$|(sqlite3|psycopg2|psycopg|pymysql|duckdb)\.Connection\.(execute|executemany|cursor|commit|sql|query|fetchall)$"
    r"|duckdb\.(connect|sql|query|execute)$|pymongo\.MongoClient$|pymongo\.MongoClient(\.\w+)*\.(find|find_one\w*|insert_(one|many)|update_(one|many)"
    r"|replace_one|delete_(one|many)|aggregate|count_documents|estimated_document_count|distinct|bulk_write|create_index(es)?|command"
    r"|drop(_\w+)?|list_\w+|server_info)$"
    r"|mysingle\.BaseDuckDBManager\.(execute|executemany|fetch_all|fetch_one|fetch_df|fetch|query|fetch_value|insert\w*|fetch_arrow|fetch_polars)$"
    r"|redis\.(Redis|StrictRedis)\.(?!pipeline|from_url|register_script)[a-z]\w*$|sqlalchemy\.Engine\.(connect|execute|begin)$"
    r"|bcrypt\.(hashpw|checkpw)$"
)
_KINDS = (("MS601", _SLEEP), ("MS602", _NETWORK), ("MS603", _PROCESS), ("MS604", _FILE), ("MS605", _DATABASE))
_THROUGH = ("MS601", "MS602", "MS603")
_MOST_HELPERS = 20


def _on_call(context: Context, call: Call) -> None:
    if call.is_partial or context.loop_function(call.scope) is None or context.is_awaited(call.node):
        return
    found = _blocks(context, call.node, call.scope)
    if found is not None:
        code, name = found
        context.report(
            code, call.node, name, _sleep_edit(context, call) if code == "MS601" and name == "time.sleep" else ()
        )


def _blocks(
    context: Context, node: ast.Call, scope: Scope, seen: set[Function] | None = None
) -> tuple[str, str] | None:
    """Return the rule that a call breaks, and by what; a helper counts as what it does itself."""
    callee = context.evaluator.value(node.func, scope)
    if isinstance(node.func, ast.Attribute) and node.func.attr == "run_until_complete":
        return "MS602", node.func.attr
    if isinstance(callee, Ref):
        name = _full_name(context, callee)
        return next(((code, name) for code, pattern in _KINDS if pattern.match(name)), None)
    visited = set() if seen is None else seen
    if not isinstance(callee, Function) or callee in visited or len(visited) > _MOST_HELPERS:
        return None
    visited.add(callee)
    return _helper_blocks(context, callee, visited)


def _full_name(context: Context, callee: Ref) -> str:
    """Return the name of a method under the library class that a class of the checked code derives from."""
    if isinstance(callee.receiver, Object) and callee.name.partition(".")[0] != "mysingle":
        base = next(iter(context.evaluator.bases(callee.receiver.cls)), "")
        return f"{base}.{callee.last}" if base else callee.name
    return callee.name


def _helper_blocks(context: Context, function: Function, seen: set[Function]) -> tuple[str, str] | None:
    is_plain = not function.is_async and not isinstance(function.node, ast.Lambda) and not _is_generator(function)
    for node in function.calls if is_plain and not _runs_elsewhere(function) else ():
        found = _blocks(context, node, function.scope, seen)
        if found is not None and found[0] in _THROUGH:
            return found[0], f"{function.name}() -> {found[1].rpartition(' -> ')[2]}"
    return None


def _is_generator(function: Function) -> bool:
    return any(isinstance(function.module.parents.get(node), ast.Yield) for node in function.returns)


def _runs_elsewhere(function: Function) -> bool:
    """Tell whether a helper is decorated, and may run in a thread or a worker."""
    return bool(function.decorators)


def _sleep_edit(context: Context, call: Call) -> tuple[Edit, ...]:
    """Write `await asyncio.sleep(...)`, where a statement is all that the call is."""
    given = call.node.args
    is_plain = len(given) == 1 and not isinstance(given[0], ast.Starred) and not call.node.keywords
    if not is_plain or not isinstance(context.parent(call.node), ast.Expr) or not _is_free(context, call.scope):
        return ()
    if _holds_something(context, call.node):
        return ()
    return (Edit(context.span(call.node.func), "await asyncio.sleep", ("import asyncio",)),)


def _holds_something(context: Context, node: ast.AST) -> bool:
    """Tell whether a plain `with` is around a node: a lock that is held while others run is a deadlock."""
    parent = context.parent(node)
    while parent is not None and not isinstance(parent, ast.AsyncFunctionDef):
        if isinstance(parent, ast.With):
            return True
        parent = context.parent(parent)
    return False


def _is_free(context: Context, scope: Scope) -> bool:
    """Tell whether `asyncio` means the library here, or nothing yet."""
    found = context.evaluator.lookup("asyncio", scope, 1 << 30)
    return isinstance(found, Ref) and found.name == "asyncio"


HANDLERS = {"call": _on_call}
