"""`mysingle k8s render`: what it prints agrees with the code, and what it compares is found to agree or not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mysingle._kernel.errors import InvalidArgumentError
from mysingle._kernel.settings import reset_settings
from mysingle._kernel.shutdown import longest_end
from mysingle.cli import main
from mysingle.tooling.k8s import (
    StatedNumbers,
    Workload,
    check_manifest,
    cluster_numbers,
    render_manifest,
    task_end_seconds,
)

K8s: TypeAlias = Callable[..., tuple[int, str, str]]
WORKLOAD = Workload(name="order-service", image="order-service:1.2.3")


@pytest.fixture
def k8s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> K8s:
    """Give a function that runs the command in an empty folder: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def render(*words: str) -> tuple[int, str, str]:
        reset_settings()
        with pytest.raises(SystemExit) as ended:
            main(["k8s", "render", *words])
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return render


def pod_of(text: str) -> dict[str, Any]:
    spec: dict[str, Any] = next(yaml.safe_load_all(text))["spec"]["template"]["spec"]
    return spec


def variables(text: str) -> dict[str, str]:
    return {row["name"]: row["value"] for row in pod_of(text)["containers"][0]["env"]}


def check(folder: Path, text: str, *stated: StatedNumbers) -> list[tuple[str, str, str]]:
    (folder / "service.yaml").write_text(text)
    return [(item.field, item.found, item.needed) for item in check_manifest(folder / "service.yaml", *stated)]


@given(
    drain=st.floats(1.01, 600), grace=st.floats(0.1, 600), start=st.floats(0.1, 600), pause=st.integers(0, 60),
    is_iam=st.booleans(), grpc_port=st.none() | st.integers(8001, 65535),
)  # fmt: skip
def test_what_is_rendered_agrees(
    drain: float, grace: float, start: float, pause: int, is_iam: bool, grpc_port: int | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    """Whatever seconds a service has, the probes of its manifest see a drain, and its pod is not killed early."""
    numbers = cluster_numbers(StatedNumbers(drain, grace, start), pause)
    workload = Workload(name="order-service", image="a/b:1", is_iam=is_iam, grpc_port=grpc_port)
    text = render_manifest(workload, numbers)
    pod = pod_of(text)
    ready, startup = (pod["containers"][0][name] for name in ("readinessProbe", "startupProbe"))
    own = float(variables(text)["DRAIN_DELAY_SECONDS"])

    assert own + pause >= drain
    assert pod["terminationGracePeriodSeconds"] >= pause + longest_end(own, grace)
    assert ready["periodSeconds"] * ready["failureThreshold"] < own + pause
    assert startup["periodSeconds"] * startup["failureThreshold"] > start
    assert [item["kind"] for item in yaml.safe_load_all(text)] == [
        "Deployment",
        "Service",
        *["Service"] * bool(grpc_port),
    ]


def test_folder(k8s: K8s, tmp_path: Path) -> None:
    """The folder of a service gives name, version, parts and seconds; what the command line says goes before."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "order-service"\nversion = "3.2.1"\n')
    answers = {"service_name": "order-service", "service_type": "iam", "grpc": True}
    (tmp_path / ".mysingle-template.json").write_text(json.dumps({"answers": answers}))
    (tmp_path / ".env").write_text("SHUTDOWN_GRACE_SECONDS=60\nDRAIN_DELAY_SECONDS=7.5\n")
    code, out, _ = k8s()
    other = k8s(str(tmp_path), "--image", "registry.example.com/x@sha256:00", "--port", "9000", "--app", "x.y:z")[1]
    container = pod_of(out)["containers"][0]

    assert code == 0
    assert (container["image"], container["ports"][1]["containerPort"]) == ("order-service:3.2.1", 50051)
    assert (variables(out)["SHUTDOWN_GRACE_SECONDS"], variables(out)["DRAIN_DELAY_SECONDS"]) == ("60", "8")
    assert "AUTH_SECRET_KEY_FILE" in variables(out)
    assert pod_of(other)["containers"][0]["args"][2:] == ["x.y:z", "--host", "0.0.0.0", "--port", "9000"]


def test_local_version(k8s: K8s, tmp_path: Path) -> None:
    """A version with a local part becomes a tag that images may have."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "a"\nversion = "1.0+local.3"\n')

    assert pod_of(k8s()[1])["containers"][0]["image"] == "a:1.0-local.3"


def test_environment(k8s: K8s, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of the environment counts as it does for the service."""
    monkeypatch.setenv("SHUTDOWN_GRACE_SECONDS", "100")

    assert variables(k8s("--name", "a")[1])["SHUTDOWN_GRACE_SECONDS"] == "100"
    assert pod_of(k8s("--name", "a", "--pre-stop", "4")[1])["terminationGracePeriodSeconds"] == 130


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give --name"),
        (["--name", "Order_Service"], "no name for Kubernetes"),
        (["--name", "a" * 60], "at most 57 characters"),
        (["--name", "a", "--image", "x\n  evil: 1"], "is no image"),
        (["--name", "a", "--app", '"]: x'], "is no app"),
        (["--name", "a", "--grpc-port", "8000"], "two ports"),
        (["--name", "a", "--port", "0"], "between 1 and 65535"),
        (["--name", "a", "--pre-stop", "-1"], "whole number of seconds"),
        (["nowhere"], "nowhere is no folder"),
        (["--check", "nowhere.yaml"], "nowhere.yaml cannot be read: No such file"),
    ],
)
def test_refused(k8s: K8s, words: list[str], said: str) -> None:
    """What cannot be rendered is refused with one line that says why, exit code 2, and prints no manifest."""
    code, out, err = k8s(*words)

    assert (code, out) == (2, "")
    assert said in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DRAIN_DELAY_SECONDS", "1", "before a probe can see it"),
        ("SHUTDOWN_GRACE_SECONDS", "soon", "SHUTDOWN_GRACE_SECONDS"),
    ],
)
def test_wrong_settings(k8s: K8s, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    """A drain that no probe sees and a setting that is none are refused by name."""
    monkeypatch.setenv(name, value)
    code, out, err = k8s("--name", "a")

    assert (code, out) == (2, "")
    assert said in err


CHANGES = [
    ("terminationGracePeriodSeconds: 50", "terminationGracePeriodSeconds: 47",
     ("terminationGracePeriodSeconds", "47", "at least 48")),
    ("terminationGracePeriodSeconds: 50", "restartPolicy: Always",
     ("terminationGracePeriodSeconds", "not set, so 30", "at least 48")),
    ('value: "20"', 'value: "60"', ("terminationGracePeriodSeconds", "50", "at least 88")),
    ('value: "20"', "value: 20", ("env SHUTDOWN_GRACE_SECONDS", "20", "a number in quotes")),
    ('value: "20"', "value: 20s", ("env SHUTDOWN_GRACE_SECONDS", "'20s'", "a number in quotes")),
    ("failureThreshold: 2", "failureThreshold: 5", ("readinessProbe", "sees a drain after 5 s", "less than 5 s")),
    ("periodSeconds: 1\n            failureThreshold: 2", "timeoutSeconds: 1",
     ("readinessProbe", "sees a drain after 30 s", "less than 5 s")),
    ("failureThreshold: 60", "failureThreshold: 30", ("startupProbe", "gives up after 30 s", "more than 30 s")),
    ("path: /ready", "path: /health", ("readinessProbe", "/health", "/ready")),
    ("path: /live", "path: /ready", ("livenessProbe", "/ready", "/live")),
    ("livenessProbe:\n            httpGet: {path: /live, port: http}", "stdin: false",
     ("livenessProbe", "not there", "httpGet /live")),
    ("httpGet: {path: /live, port: http}", "tcpSocket: {port: http}", ("livenessProbe", "tcpSocket", "httpGet /live")),
    ("containerPort: 8000", "containerPort: 8080", ("startupProbe port", "http", "8000")),
    ("resources:", "lifecycle: {preStop: {exec: {command: [sh, -c, sleep 15]}}}\n          resources:",
     ("terminationGracePeriodSeconds", "50", "at least 63")),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "finding"), CHANGES, ids=[row[2][0] + row[1][-9:] for row in CHANGES])
def test_check(tmp_path: Path, before: str, after: str, finding: tuple[str, str, str]) -> None:
    """Each number, path and port that does not agree is found with what it is and what it has to be."""
    text = render_manifest(WORKLOAD, cluster_numbers())
    assert check(tmp_path, text) == []
    assert before in text

    assert finding in check(tmp_path, text.replace(before, after, 1))


def test_check_against_the_settings(tmp_path: Path) -> None:
    """What the settings choose has to stand in the manifest; what comes from elsewhere in the cluster is believed."""
    text = render_manifest(WORKLOAD, cluster_numbers())
    stated = StatedNumbers(shutdown_grace_seconds=25)
    elsewhere = text.replace('value: "20"', "valueFrom: {configMapKeyRef: {name: a, key: b}}")

    assert check(tmp_path, text, stated) == [("env SHUTDOWN_GRACE_SECONDS", "20", '"25"')]
    assert check(tmp_path, elsewhere, stated) == [("terminationGracePeriodSeconds", "50", "at least 53")]


def test_check_command(k8s: K8s, tmp_path: Path) -> None:
    """The command ends with 0 for what it has printed itself, and with 1 and a line, or JSON, for each difference."""
    (tmp_path / "a.yaml").write_text(k8s("--name", "order-service")[1])
    assert k8s("--check", "a.yaml") == (0, "a.yaml agrees with the code\n", "")
    (tmp_path / "a.yaml").write_text((tmp_path / "a.yaml").read_text().replace("Seconds: 50", "Seconds: 5"))
    code, out, _ = k8s("--check", "a.yaml")
    as_json = json.loads(k8s("--check", "a.yaml", "--json")[1])

    assert (code, out.split("\t")[1:4]) == (1, ["terminationGracePeriodSeconds", "5", "at least 48"])
    assert as_json["disagreements"][0]["where"] == "Deployment order-service, container order-service"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has no pod"), (b"[1, {kind: Deployment}]", "has no pod"), (b"kind: Deployment\nspec: 5\n", "has no pod"),
        (b"kind: {{ .Values.kind }}\n", "is no YAML"), (b"\xff\xfe\x00", "is no YAML"), (b"a: &a [*a]\n", "has no pod"),
        (b"[" * 5000, "is no YAML"), (b"#" * 1_000_001, "more than 1,000,000 bytes"),
        (b"kind: Pod\nspec: {containers: [{name: a}, {name: b}]}\n", "has no pod"),
        (b"kind: Deployment\nspec: {template: {spec: {containers: [5, null]}}}\n", "has no pod"),
    ],
)  # fmt: skip
def test_no_manifest(tmp_path: Path, content: bytes, said: str) -> None:
    """What is no manifest of a service is refused with its name and the reason."""
    (tmp_path / "x.yaml").write_bytes(content)
    with pytest.raises(InvalidArgumentError, match=said):
        check_manifest(tmp_path / "x.yaml")


NODES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["http", "sleep 5"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("env", "envFrom", "ports", "args", "command", "lifecycle", "livenessProbe", "readinessProbe", "startupProbe")


@given(container=st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, NODES)), end=NODES)
def test_any_container(container: dict[str, Any], end: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever stands in a container, the answer is a list of findings."""
    spec = {"containers": [container], "terminationGracePeriodSeconds": end}
    file = tmp_path_factory.mktemp("k8s") / "pod.json"
    file.write_text(json.dumps({"kind": "Pod", "spec": spec}))

    assert isinstance(check_manifest(file), tuple)


def test_lists(tmp_path: Path) -> None:
    """Each pod of a list is looked at, and of several containers the one that runs a service."""
    deployment = next(yaml.safe_load_all(render_manifest(WORKLOAD, cluster_numbers())))
    deployment["spec"]["template"]["spec"]["containers"].insert(0, {"name": "sidecar", "image": "x"})
    broken = json.loads(json.dumps(deployment))
    broken["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 1
    found = check(tmp_path, json.dumps({"kind": "List", "items": [deployment, broken]}))

    assert found == [("terminationGracePeriodSeconds", "1", "at least 48")]


def worker(seconds: str, **env: str) -> str:
    container = {
        "name": "worker",
        "args": ["mysingle", "worker", "app.tasks:celery"],
        "env": [{"name": name, "value": value} for name, value in env.items()],
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": json.loads(seconds)}
    return json.dumps({"kind": "Deployment", "metadata": {"name": "w"}, "spec": {"template": {"spec": spec}}})


@pytest.mark.parametrize(
    ("text", "stated", "found"),
    [
        (worker(str(task_end_seconds())), StatedNumbers(), []),
        (worker("50", TASKS_TIME_LIMIT_SECONDS="30"), StatedNumbers(),
         [("terminationGracePeriodSeconds", "50", "at least 90")]),
        (worker("90", TASKS_TIME_LIMIT_SECONDS="30"), StatedNumbers(), []),
        (worker("90", TASKS_TIME_LIMIT_SECONDS="30"), StatedNumbers(task_limit_seconds=40),
         [("env TASKS_TIME_LIMIT_SECONDS", "30", '"40"')]),
        (worker("null", TASKS_TIME_LIMIT_SECONDS="1"), StatedNumbers(),
         [("terminationGracePeriodSeconds", "not set, so 30", "at least 61")]),
    ],
    ids=["usual", "too-short", "long-enough", "settings", "not-set"],
)  # fmt: skip
def test_worker(tmp_path: Path, text: str, stated: StatedNumbers, found: list[tuple[str, str, str]]) -> None:
    """A worker of background tasks has no probes, and has to have the time of a task and a minute to end."""
    assert check(tmp_path, text, stated) == found


@pytest.mark.parametrize(
    "parts", [(), ("--grpc",), ("--tasks",), ("--type", "iam")], ids=["plain", "grpc", "tasks", "iam"]
)
def test_new_services(k8s: K8s, tmp_path: Path, parts: tuple[str, ...]) -> None:
    """The folder of a new service gives the manifest that it has, and all of its manifests agree."""
    with pytest.raises(SystemExit) as made:
        main(["new", "order-service", *parts])
    folder = tmp_path / "order-service"
    printed = k8s("order-service")[1]

    assert not made.value.code
    assert printed.endswith((folder / "k8s/service.yaml").read_text())
    assert {k8s("order-service", "--check", str(file))[0] for file in (folder / "k8s").iterdir()} == {0}
