"""What we render is clean, and each unsafe construct is found by its rule and no other."""

import copy
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mysingle.tooling.gateway import GatewayFileError, lint, render
from mysingle.tooling.gateway._lua_reading import read_lua
from mysingle.tooling.gateway._names import CLEARED
from mysingle.tooling.gateway._rules import CONF_RULES, RULES

CONF = (
    "# kong.conf: nginx_http_max_headers = 75\n"
    "# kong.conf: nginx_proxy_underscores_in_headers = off  # look-alikes\n"
    "# kong.conf: trusted_ips = 10.0.3.0/24\n"
)
CLEAR = "".join(f'kong.service.request.clear_header("{name}")\n' for name in CLEARED)
IDENTITY = [name for name in CLEARED if name.startswith(("X-User-", "X-Session", "X-Gateway"))]
OTHERS = [name for name in CLEARED if name not in IDENTITY]
SET_UNSIGNED = f'{CLEAR}kong.service.request.set_header("X-User-Id", claims.sub)\n'
SPEC_MISTAKE = f"{CLEAR}local claims = kong.ctx.shared.jwt_claims\nif claims then use(claims.sub) end\n"

Document = dict[str, Any]
Change = Callable[[Document], None]


@pytest.fixture
def document(write: Callable[..., Path], iam: Any) -> Document:
    """Give what we render for one service, as values."""
    file = write(keys=[{"kid": "2026-11", "algorithm": "ES256", "pem": iam.pem}])
    rendered: Document = yaml.safe_load(render(file, "kong"))
    return rendered


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., list[str]]:
    """Give a function that lints values and returns the rules that were found."""

    def rules(value: object, conf: str = CONF) -> list[str]:
        file = tmp_path / "kong.yaml"
        file.write_text(conf + yaml.safe_dump(value, sort_keys=False))
        return [finding.rule for finding in lint(file)]

    return rules


def jwt(document: Document) -> Document:
    return next(plugin for plugin in document["services"][0]["plugins"] if plugin["name"] == "jwt")["config"]


def set_program(document: Document, program: str) -> None:
    """Replace what runs on the routes that need a token."""
    service = document["services"][0]
    service["plugins"] = [plugin for plugin in service["plugins"] if plugin["name"] != "post-function"]
    service["plugins"].append({"name": "post-function", "config": {"access": [program]}})


def without_programs(document: Document) -> None:
    """Take out what clears, on all routes and for all of them."""
    for parent in (document, *document["services"]):
        parent["plugins"] = [plugin for plugin in parent["plugins"] if plugin["name"] != "post-function"]


def clear_on(document: Document, index: int) -> None:
    document["services"][index]["plugins"].append({"name": "post-function", "config": {"access": [CLEAR]}})


def add(document: Document, name: str, **config: Any) -> None:
    document["services"][0]["plugins"].append({"name": name, "config": config})


def open_route(document: Document) -> None:
    without_programs(document)
    clear_on(document, 0)


def uncleared(document: Document) -> None:
    without_programs(document)
    clear_on(document, 1)


def removed_by_transformer(document: Document) -> None:
    uncleared(document)
    add(document, "request-transformer", remove={"headers": list(CLEARED)})


def rename_program(document: Document, phase: str) -> None:
    """Let what clears run in another phase: a service is known in none that comes before the access phase."""
    config = next(each for each in document["services"][0]["plugins"] if each["name"] == "post-function")["config"]
    config[phase] = config.pop("access")


def clear_late(document: Document) -> None:
    uncleared(document)
    set_program(document, f"if not kong.client.get_credential() then return end\n{CLEAR}")


CASES: list[Any] = [
    (
        "identity-in-pre-function",
        lambda d: add(d, "pre-function", access=['kong.service.request.set_header("X-User-Id", x)']),
    ),
    (
        "identity-in-pre-function",
        lambda d: add(d, "pre-function", access=["local t = kong.ctx.shared.authenticated_jwt_token"]),
    ),
    (
        "identity-in-pre-function",
        lambda d: add(
            d,
            "pre-function",
            rewrite=[
                'local set = kong.service.request.set_header\nfor _, h in ipairs{"X-User-Roles"} do set(h, x) end'
            ],
        ),
    ),
    ("claims-that-are-not-there", lambda d: set_program(d, SPEC_MISTAKE)),
    (
        "claims-that-are-not-there",
        lambda d: set_program(d, f"{CLEAR}local c = kong.ctx.shared.authenticated_jwt_token.claims\n"),
    ),
    ("transformer-adds-identity", lambda d: add(d, "request-transformer", add={"headers": ["X-User-Id:anonymous"]})),
    (
        "transformer-adds-identity",
        lambda d: add(d, "request-transformer", replace={"headers": ["x_user_superuser:false"]}),
    ),
    ("transformer-adds-identity", lambda d: add(d, "request-transformer", append={"headers": ["X-User-Roles:user"]})),
    ("transformer-adds-identity", lambda d: add(d, "request-transformer", rename={"headers": ["X-Me:X-User-Id"]})),
    (
        "transformer-adds-identity",
        lambda d: add(
            d, "request-transformer", replace={"headers": ["X-User-Id:x"]}, remove={"headers": ["X-User-Id"]}
        ),
    ),
    ("transformer-removes-identity", removed_by_transformer),
    ("identity-not-cleared", uncleared),
    ("identity-not-cleared", clear_late),
    (
        "identity-not-cleared",
        lambda d: set_program(d, CLEAR.replace('kong.service.request.clear_header("X-User-Superuser")', "")),
    ),
    ("identity-not-cleared", lambda d: set_program(d, "\n".join(f"-- {line}" for line in CLEAR.splitlines()))),
    ("identity-not-cleared", lambda d: rename_program(d, "rewrite")),
    ("identity-not-cleared", lambda d: rename_program(d, "header_filter")),
    ("identity-not-cleared", lambda d: set_program(d, CLEAR.replace("service.request", "response"))),
    ("identity-not-cleared", lambda d: set_program(d, CLEAR.replace("service.request", "service.response"))),
    ("identity-not-cleared", lambda d: set_program(d, f"local kong = fake\n{CLEAR}")),
    ("open-route-not-cleared", open_route),
    (
        "groups-not-cleared",
        lambda d: set_program(d, "\n".join(line for line in CLEAR.splitlines() if "Consumer" not in line)),
    ),
    ("claims-not-verified", lambda d: jwt(d).pop("claims_to_verify")),
    ("claims-not-verified", lambda d: jwt(d).update(claims_to_verify=["exp"])),
    ("token-in-url", lambda d: jwt(d).pop("uri_param_names")),
    ("token-in-url", lambda d: jwt(d).update(uri_param_names=["token"])),
    ("preflight-unauthenticated", lambda d: jwt(d).update(run_on_preflight=False)),
    ("key-by-issuer", lambda d: jwt(d).pop("key_claim_name")),
    ("anonymous-consumer", lambda d: jwt(d).update(anonymous="guest")),
    ("anonymous-consumer", lambda d: add(d, "key-auth", anonymous="guest")),
    ("groups-header-hidden", lambda d: add(d, "acl", allow=["users"], hide_groups_header=True)),
    ("identity-without-proof", lambda d: set_program(d, SET_UNSIGNED)),
    (
        "rate-limit-by-identity",
        lambda d: add(d, "rate-limiting", minute=5, limit_by="header", header_name="X-User-Id"),
    ),
    ("tls-not-verified", lambda d: d["services"][0].update(url="https://strategy-service:8443")),
    ("tls-not-verified", lambda d: d["services"][0].update(url="HTTPS://strategy-service:8443")),
    *(
        ("tls-not-verified", lambda d, protocol=protocol: d["services"][0].update(url=None, protocol=protocol))
        for protocol in ("https", "grpcs", "wss")
    ),
]


@pytest.mark.parametrize(("rule", "change"), CASES, ids=[f"{rule}-{n}" for n, (rule, _) in enumerate(CASES)])
def test_each_construct_has_its_rule(
    document: Document, check: Callable[..., list[str]], rule: str, change: Change
) -> None:
    """One unsafe construct in a safe file is exactly one finding, of its rule."""
    assert check(document) == []

    change(document)

    assert set(check(document)) == {rule}


@pytest.mark.parametrize(
    ("rule", "conf"),
    [
        ("max-headers-missing", CONF.replace("75", "1000")),
        ("max-headers-missing", CONF.replace("nginx_http_max_headers = 75", "")),
        ("underscores-in-headers", CONF.replace("= off", "= on")),
        ("trusts-every-proxy", CONF.replace("10.0.3.0/24", "0.0.0.0/0")),
    ],
)
def test_kong_conf(document: Document, check: Callable[..., list[str]], rule: str, conf: str) -> None:
    """What kong.conf must say, and the comments of the file do not, is found."""
    assert check(document, conf) == [rule]


def test_every_rule_is_tested() -> None:
    """No rule is without a file that it finds."""
    in_files = {rule for rule, _ in CASES}

    assert in_files == set(RULES)
    assert set(CONF_RULES) == {"max-headers-missing", "underscores-in-headers", "trusts-every-proxy"}


def test_every_rule_is_documented() -> None:
    """The reference lists the rules, in their order."""
    page = (Path(__file__).parents[3] / "docs/reference/command-line.md").read_text(encoding="utf-8")
    table = page.split("| Rule | What it finds |")[1].split("\n\n")[0]

    assert [*RULES, *CONF_RULES] == re.findall(r"^\| `([a-z-]+)`", table, re.MULTILINE)


SAFE: list[Any] = [
    ("mtls", lambda d: (set_program(d, SET_UNSIGNED), d["services"][0].update(client_certificate={"id": "x"}))),
    (
        "secret",
        lambda d: (
            set_program(d, SET_UNSIGNED.replace('kong.service.request.clear_header("X-Gateway-Secret")', "")),
            add(
                d,
                "request-transformer",
                remove={"headers": ["X-Gateway-Secret"]},
                add={"headers": ["X-Gateway-Secret:s"]},
            ),
        ),
    ),
    (
        "disabled",
        lambda d: d["services"][0]["plugins"].append(
            {"name": "acl", "enabled": False, "config": {"hide_groups_header": True}}
        ),
    ),
    (
        "clear-early",
        lambda d: (without_programs(d), d["plugins"].append({"name": "pre-function", "config": {"access": [CLEAR]}})),
    ),
    (
        "by-reference",
        lambda d: d["plugins"].append(
            {"name": "post-function", "service": "strategy-service-public", "config": {"access": [CLEAR]}}
        ),
    ),
    (
        "route-at-top",
        lambda d: d.setdefault("routes", []).append(
            {"name": "more", "paths": ["/more"], "service": "strategy-service"}
        ),
    ),
    (
        "consumer",
        lambda d: (
            d["consumers"][0].setdefault("plugins", []).append({"name": "rate-limiting", "config": {"minute": 1}})
        ),
    ),
]


@pytest.mark.parametrize("change", [change for _, change in SAFE], ids=[name for name, _ in SAFE])
def test_safe_variants(document: Document, check: Callable[..., list[str]], change: Change) -> None:
    """What is safe in another way is not found."""
    change(document)

    assert check(document) == []


def test_route_without_service_is_seen(document: Document, check: Callable[..., list[str]]) -> None:
    """A route that stands at the top of the file is judged by the plugins that run on it."""
    without_programs(document)
    document["services"] = []
    document["routes"] = [{"name": "open", "paths": ["/open"]}]

    assert check(document) == ["open-route-not-cleared"]


def test_plugin_for_one_consumer_protects_nobody_else(document: Document, check: Callable[..., list[str]]) -> None:
    """A program that runs for one consumer only does not count for the route."""
    without_programs(document)
    plugin = {"name": "post-function", "consumer": "mysingle-iam", "config": {"access": [CLEAR]}}
    document["plugins"].append(plugin)

    assert set(check(document)) == {"identity-not-cleared", "open-route-not-cleared"}


def test_finding_has_line_and_place(document: Document, tmp_path: Path) -> None:
    """A finding says where it is, in the document and in the file, why it is unsafe, and what to do."""
    jwt(document)["anonymous"] = "guest"
    file = tmp_path / "kong.yaml"
    text = CONF + yaml.safe_dump(document, sort_keys=False)
    file.write_text(text)
    (finding,) = lint(file)
    assert finding.line is not None

    assert text.splitlines()[finding.line - 1].strip() in ("- name: jwt", "- config:")
    assert (finding.where, bool(finding.why), bool(finding.fix)) == ("services[0].plugins[0]", True, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "this is not YAML"),
        ("services: []", "_format_version"),
        ("- 1", "_format_version"),
        ("", "_format_version"),
        ("_format_version: '3.0'\n_format_version: '3.0'", "twice"),
        ("a: &a [1]\n" + "".join(f"b{n}: &b{n} [{'*a, ' * 9}*a]\n" for n in range(1)), "_format_version"),
        ("\x00", "this is not YAML"),
    ],
    ids=["broken", "other", "list", "empty", "twice", "alias", "nul"],
)
def test_file_that_cannot_be_linted(tmp_path: Path, text: str, said: str) -> None:
    """A file that is none of Kong's is one error that names the file."""
    file = tmp_path / "kong.yaml"
    file.write_text(text)

    with pytest.raises(GatewayFileError, match=rf"kong\.yaml.*{said}"):
        lint(file)


def test_aliases_do_not_explode(tmp_path: Path) -> None:
    """A file whose aliases would make a billion values is refused at once."""
    lines = ["_format_version: '3.0'", "a0: &a0 [1, 1]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 20)]
    file = tmp_path / "kong.yaml"
    file.write_text("\n".join(lines))

    with pytest.raises(GatewayFileError, match="too many values"):
        lint(file)


@pytest.mark.parametrize(
    ("program", "cleared", "set_names"),
    [
        ('local c = kong.service.request.clear_header\nc("X-User-Id")', {"x-user-id"}, set()),
        ("kong.service.request.clear_header 'X-User-Id'", {"x-user-id"}, set()),
        (
            'local a, c = f, kong.service.request.clear_header for _, n in ipairs{"A", "B"} do c(n) end',
            {"a", "b"},
            set(),
        ),
        ('local T = {"A"}\nfor _, n in pairs(T) do kong.service.request.clear_header(n) end', {"a"}, set()),
        ('local r = kong.service.request\nr.clear_header("A")', {"a"}, set()),
        ('local k = kong\nlocal s = k.service\ns.request.clear_header("A")', {"a"}, set()),
        ('ngx.req.clear_header("A")', {"a"}, set()),
        ('kong.response.clear_header("A")', set(), set()),
        ('local c = kong.response.clear_header\nc("A")', set(), set()),
        ('local c = kong.service.request.clear_header\nc = print\nc("A")', set(), set()),
        ('local a = b\nlocal b = a\na.clear_header("A")', set(), set()),
        ('--[[ kong.service.request.clear_header("A") ]]', set(), set()),
        ('-- kong.service.request.clear_header("A")', set(), set()),
        ('local s = "--" kong.service.request.clear_header("A")', {"a"}, set()),
        ('if x then kong.service.request.clear_header("A") end', set(), set()),
        ('return kong.service.request.clear_header("A")', set(), set()),
        ('if x then kong.service.request.set_header("A", 1) end', set(), {"a"}),
        ('kong.service.request.set_headers({ ["A"] = 1, ["X_B"] = 2 })', set(), {"a", "x-b"}),
        ('for _, n in ipairs{"A"} do if n then kong.service.request.clear_header(n) end end', set(), set()),
    ],
)
def test_reading_programs(program: str, cleared: set[str], set_names: set[str]) -> None:
    """The text of a program says what it clears whatever happens, and what it sets."""
    reading = read_lua(program)

    assert (reading.cleared, reading.set) == (cleared, set_names)


def mysingle(*arguments: str) -> "subprocess.CompletedProcess[str]":
    code = "from mysingle.cli import main; main()"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)


def test_command_line(document: Document, tmp_path: Path) -> None:
    """Findings are lines in a pipe, a document with --json, and exit code 1; a clean file is nothing, and 0."""
    unsafe = copy.deepcopy(document)
    jwt(unsafe)["anonymous"] = "guest"
    files = {name: tmp_path / f"{name}.yaml" for name in ("clean", "unsafe", "none")}
    for name, value in (("clean", document), ("unsafe", unsafe), ("none", {})):
        files[name].write_text(CONF + yaml.safe_dump(value, sort_keys=False))

    clean, found = mysingle("gateway", "lint", str(files["clean"])), mysingle("gateway", "lint", str(files["unsafe"]))
    as_json = mysingle("gateway", "lint", str(files["unsafe"]), "--json")
    wrong = mysingle("gateway", "lint", str(files["none"]))

    assert (clean.returncode, clean.stdout) == (0, "")
    assert (found.returncode, found.stdout.count("\n")) == (1, 1)
    assert found.stdout.startswith(f"{files['unsafe']}:")
    assert "anonymous-consumer at services[0].plugins[0]: " in found.stdout
    assert [item["rule"] for item in json.loads(as_json.stdout)["findings"]] == ["anonymous-consumer"]
    assert as_json.returncode == 1
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


def test_kong_conf_file(document: Document, tmp_path: Path) -> None:
    """A kong.conf that is given counts instead of the comments."""
    file, conf = tmp_path / "kong.yaml", tmp_path / "kong.conf"
    file.write_text(CONF + yaml.safe_dump(document))
    conf.write_text("nginx_http_max_headers = 75  # enough\n#nginx_proxy_underscores_in_headers = off\n")

    assert [finding.rule for finding in lint(file, conf)] == ["underscores-in-headers"]
    with pytest.raises(GatewayFileError, match="nowhere"):
        lint(file, tmp_path / "nowhere")


def test_table_in_a_terminal(document: Document, tmp_path: Path) -> None:
    """In a terminal the findings are laid out to its width."""
    import os
    import pty

    jwt(document)["anonymous"] = "guest"
    file = tmp_path / "kong.yaml"
    file.write_text(CONF + yaml.safe_dump(document, sort_keys=False))
    ours, theirs = pty.openpty()
    code = "from mysingle.cli import main; main()"
    command = [sys.executable, "-c", code, "gateway", "lint", str(file)]
    done = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, timeout=60)
    os.close(theirs)
    text = os.read(ours, 65536).decode()
    os.close(ours)

    assert (done.returncode, done.stderr) == (1, b"")
    assert "anonymous-consumer" in text
    assert "1 finding" in text


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            ["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 40))],
            "too much is merged",
        ),
        (["a: &a {x: 1}", f"b: {{<<: [{', '.join(['*a'] * 60)}]}}"], "too much is merged"),
        (["a: 1" + ":5" * 10_000], "number is too long"),
        (["a: 1" + ":5" * 10_000 + ".5"], "number is too long"),
        (["a: 0x" + "f" * 10_000], "number is too long"),
    ],
    ids=["merges of merges", "many merges", "base 60", "fraction of base 60", "digits"],
)
def test_small_files_stay_small(lines: list[str], said: str, tmp_path: Path) -> None:
    """A short file cannot ask for endless work, by merges that double or by a number of endless digits."""
    file = tmp_path / "kong.yaml"
    file.write_text("\n".join(["_format_version: '3.0'", *lines]))

    with pytest.raises(GatewayFileError, match=said):
        lint(file)


def test_merges_are_read(tmp_path: Path) -> None:
    """A mapping that is merged once is read as it is meant."""
    file = tmp_path / "kong.yaml"
    file.write_text(
        "_format_version: '3.0'\nx: &x {config: {claims_to_verify: [exp]}}\nplugins: [{<<: *x, name: jwt}]\n"
    )

    assert any("nbf" in str(finding) for finding in lint(file))
