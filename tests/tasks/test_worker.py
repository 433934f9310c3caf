"""A real worker runs tasks that a web process has sent over a real broker."""

import json
import os
import time
import uuid
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, chord, group

from mysingle._kernel.context import RequestContext, use_context
from mysingle.testing import ALICE, make_user

TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
ALICES = RequestContext("action-1", "request-1", TRACE, None, make_user(ALICE, roles=["trader"]), deadline=1.0)
SECONDS = 20

pytestmark = [pytest.mark.usefixtures("worker"), pytest.mark.xdist_group("tasks")]


def _wait_for(condition: Callable[[], Any]) -> Any:
    """Return what the condition gives as soon as it gives something."""
    end = time.monotonic() + SECONDS
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def _notes(jobs: Any) -> list[str]:
    with jobs.notes() as connection:
        found: list[str] = connection.lrange("notes", 0, -1)
    return found


def test_context(jobs: Any) -> None:
    """A task sees who has sent it and in which action; its request is the task, and the deadline is gone."""
    with use_context(ALICES):
        sent = jobs.whoami.delay()
    expected = {"user": ALICE, "roles": ["trader"], "correlation_id": "action-1", "traceparent": TRACE}

    assert sent.get(timeout=SECONDS) == {**expected, "request_id": sent.id, "deadline": None}


async def test_loop(jobs: Any) -> None:
    """An `async` task has the context too, with the resources open; a route sends it without blocking."""
    with use_context(ALICES):
        task_id = await jobs.whoami_on_the_loop.enqueue()
    correlation_id, user, is_open, _ = jobs.celery.AsyncResult(task_id).get(timeout=SECONDS)

    assert (correlation_id, user, is_open) == ("action-1", ALICE, True)


def test_resources_stay_open(jobs: Any) -> None:
    """A process opens its resources once, before its first `async` task."""
    pids = {jobs.whoami_on_the_loop.delay().get(timeout=SECONDS)[3] for _ in range(10)}
    opened = [line for line in _notes(jobs) if line.startswith("open")]

    assert sorted(opened) == sorted(set(opened))
    assert {f"open {pid}" for pid in pids} <= set(opened)


def test_task_sends_a_task(jobs: Any) -> None:
    """What a task sends belongs to the same action and the same user."""
    with use_context(ALICES):
        inner = jobs.pass_on.delay().get(timeout=SECONDS)
    found = jobs.celery.AsyncResult(inner).get(timeout=SECONDS)

    assert (found["user"], found["correlation_id"]) == (ALICE, "action-1")


def test_retries(jobs: Any) -> None:
    """An `async` task is tried again for the errors that it names, in the same action."""
    with use_context(ALICES):
        assert jobs.third_time.delay().get(timeout=SECONDS) == [2, "action-1"]


def test_canvas(jobs: Any) -> None:
    """Chains, groups and chords of signed tasks work."""
    together = group(jobs.add.s(number, number) for number in range(4))

    assert (jobs.add.s(1, 2) | jobs.add.s(3)).delay().get(timeout=SECONDS) == 6
    assert together.delay().get(timeout=SECONDS) == [0, 2, 4, 6]
    assert chord(together, jobs.total.s()).delay().get(timeout=SECONDS) == 12


def test_values(jobs: Any) -> None:
    """Values that JSON has no word for, and that Celery knows, come through with their signature."""
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    assert jobs.later.delay(moment).get(timeout=SECONDS) == moment.isoformat()


@pytest.mark.parametrize(
    ("send", "error"),
    [
        (lambda jobs: jobs.fail.delay("hunter2"), "ValueError"),
        (lambda jobs: jobs.unspeakable.delay(), "Error"),
        (lambda jobs: jobs.endless.delay(), "SoftTimeLimitExceeded"),
        (lambda jobs: jobs.leave.delay(), "RuntimeError"),
    ],
    ids=["raises", "gives-no-json", "takes-too-long", "ends-its-process"],
)
def test_failures(jobs: Any, send: Callable[[Any], Any], error: str) -> None:
    """A task that fails says so to who asks for its result, and the worker goes on."""
    sent = send(jobs)
    with pytest.raises(Exception) as caught:  # noqa: PT011  # Celery makes the class when it reads the result
        sent.get(timeout=SECONDS)

    assert error in type(caught.value).__name__
    assert jobs.add.delay(1, 2).get(timeout=SECONDS) == 3


def test_soft_limit_cancels(jobs: Any) -> None:
    """The time limit cancels an `async` task, which can still put things in order."""
    before = len([line for line in _notes(jobs) if line.startswith("cancelled")])
    with pytest.raises(Exception, match="SoftTimeLimitExceeded"):
        jobs.endless.delay().get(timeout=SECONDS)

    assert len([line for line in _notes(jobs) if line.startswith("cancelled")]) == before + 1


def _stranger(jobs: Any, **conf: Any) -> Celery:
    """Return the app of somebody who can write to the broker, and has no key."""
    app = Celery("stranger", broker=jobs.celery.conf.broker_url, set_as_current=False)
    names = ("broker_transport_options", "task_default_queue", "result_backend")
    app.conf.update({name: jobs.celery.conf[name] for name in names} | conf)
    return app


def _was_run(jobs: Any) -> bool:
    jobs.add.delay(1, 2).get(timeout=SECONDS)
    return any(line.startswith("forbidden") for line in _notes(jobs))


@pytest.mark.parametrize(
    "name", ["background_jobs.forbidden", "celery.map", "celery.chord", "celery.group", "celery.chain"]
)
def test_stranger(jobs: Any, name: str) -> None:
    """A task that this service has not sent is not run, be it one of Celery's own that would run others."""
    signature = {"task": "background_jobs.forbidden", "args": [], "kwargs": {}, "options": {}, "immutable": True}
    arguments = {"celery.map": {"task": signature, "it": [[]]}}.get(name, {"tasks": [signature]})
    with _stranger(jobs) as app:
        sent = app.send_task(name, kwargs={} if name.startswith("background") else arguments)
        with pytest.raises(Exception, match="was not sent by this service"):
            jobs.celery.AsyncResult(sent.id).get(timeout=SECONDS)

    assert not _was_run(jobs)


LINK = {"task": "background_jobs.forbidden", "args": [], "kwargs": {}, "options": {}, "immutable": True}


@pytest.mark.parametrize(
    ("name", "args", "options"),
    [
        ("background_jobs.forbidden", (), {}),
        ("background_jobs.add", (1, 3), {}),
        ("background_jobs.add", (1, 2), {"link": [LINK]}),
        ("background_jobs.add", (1, 2), {"chain": [LINK]}),
    ],
    ids=["another-task", "other-arguments", "a-link", "a-chain"],
)
def test_stolen_signature(jobs: Any, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> None:
    """A signed message, taken from the broker, runs no other task and nothing after itself."""
    task_id = f"stolen-{name}-{args}-{list(options)}"
    envelope = jobs.celery._envelope("background_jobs.add", task_id, (1, 2), {}, {})  # as the web process makes it
    with _stranger(jobs) as app:
        app.send_task(name, args, task_id=task_id, headers={"mysingle": envelope}, **options)
    with pytest.raises(Exception, match="was not sent by this service"):
        jobs.celery.AsyncResult(task_id).get(timeout=SECONDS)

    assert not _was_run(jobs)


def _put(jobs: Any, embed: dict[str, Any], envelope: dict[str, str], **headers: Any) -> str:
    """Write a message for `add(1, 2)` straight into the broker, and return the id of the task."""
    task_id = str(uuid.uuid4())
    body: Any = ((1, 2), {}, embed)
    names = {"lang": "py", "task": "background_jobs.add", "id": task_id, "mysingle": envelope}
    with _stranger(jobs) as app, app.producer_pool.acquire() as producer:
        producer.publish(body, routing_key="jobs-service", serializer="json", headers={**names, **headers})
    return task_id


@pytest.mark.parametrize(
    ("embed", "headers"),
    [
        ({"errbacks": [LINK]}, {}),
        ({}, {"errbacks": [LINK]}),
        ({"errbacks": [LINK]}, {"timelimit": [0.000001, None]}),
        ({"chord": {**LINK, "chord_size": 1, "options": {"link_error": [LINK]}}}, {"group": "a-group"}),
        ({"errbacks": [LINK], "chord": LINK}, {"expires": "2020-01-01T00:00:00", "group": "a-group"}),
    ],
    ids=["errback", "errback-in-a-header", "out-of-time", "chord", "expired"],
)
def test_refused_task_has_no_followers(jobs: Any, embed: dict[str, Any], headers: dict[str, Any]) -> None:
    """What a forged message names for the case that it fails is not sent: a worker would sign it."""
    task_id = _put(jobs, embed, {"context": "{}", "signature": "0" * 64}, **headers)
    with pytest.raises(Exception, match="was not sent by this service"):
        jobs.celery.AsyncResult(task_id).get(timeout=SECONDS)

    assert not _was_run(jobs)


@pytest.mark.parametrize(
    "changed",
    [
        {"raw": "no json"},
        {"raw": b"\xff\xfe"},
        {"raw": "[" * 100_000},
        {"raw": "[]"},
        {"raw": "{}"},
        {"body": "no base64"},
        {"body": b64encode(b"no json").decode()},
        {"body": b64encode(b"1").decode()},
        {"body": b64encode(b"[1]").decode()},
        {"body": b64encode(b"[[1, 2], [], {}]").decode()},
        {"body": b64encode(b"[[1, 2], {}, []]").decode()},
        {"body": b64encode(b"[" * 100_000).decode()},
        {"body": b64encode(b'{"args": [1, 2], "kwargs": 1}').decode()},
        {"body": b64encode(b'{"args": [1, 2], "kwargs": {}, "id": 1}').decode()},
        {"content-type": "application/x-python-serialize"},
        {"content-type": 1},
        {"content-encoding": "klingon"},
        {"headers": None},
        {"headers": []},
        {"headers": {}},
        {"headers": {"task": "background_jobs.add"}},
        {"headers": {"task": {}, "id": "1"}},
        {"headers": {"task": ["background_jobs.add"], "id": "1"}},
        {"headers": {"task": "background_jobs.add", "id": {}}},
        {"headers": {"task": "background_jobs.add", "id": "1", "eta": "soon"}},
        {"headers": {"task": "background_jobs.add", "id": "1", "timelimit": 5}},
        {"headers": {"task": "background_jobs.add", "id": "1", "timelimit": ["a", "b"]}},
        {"headers": {"task": "background_jobs.add", "id": "1", "mysingle": 5}},
        {"headers": {"task": "background_jobs.add", "id": "1", "mysingle": {"context": [], "signature": {}}}},
        {"headers": {"task": "background_jobs.unknown", "id": {}}},
        {"headers": {"task": "background_jobs.add", "id": "1", "compression": "bzip3"}},
        {"properties": {}},
        {"properties": 1},
    ],
    ids=lambda changed: repr(changed)[:60],
)
def test_malformed(jobs: Any, worker: int, changed: dict[str, Any]) -> None:
    """A message that is none is thrown away, and the worker goes on."""
    properties = {
        "correlation_id": "1",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": "jobs-service"},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": str(uuid.uuid4()),
    }
    raw = changed.get("raw")
    message = {
        "body": b64encode(b"[[1, 2], {}, {}]").decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"task": "background_jobs.add", "id": "1"},
        "properties": properties,
    }
    with jobs.notes() as connection:
        connection.select(10)
        connection.lpush("celery:jobs-service:jobs-service", raw or json.dumps(message | changed))

    assert jobs.add.delay(1, 2).get(timeout=SECONDS) == 3
    os.kill(worker, 0)


@pytest.mark.parametrize("word", ["is_eager", "id", "headers", "hostname"])
def test_no_other_words(jobs: Any, word: str) -> None:
    """A message cannot say of itself what only the worker knows."""
    task_id = _put(jobs, {word: True}, {})
    with pytest.raises(Exception, match="was not sent by this service"):
        jobs.celery.AsyncResult(task_id).get(timeout=SECONDS)


@pytest.mark.parametrize(
    "make",
    [
        lambda jobs: (jobs.add.s(1, 2) | jobs.whoami.si()).delay(),
        lambda jobs: (jobs.third_time.s() | jobs.add.si(1, 2) | jobs.whoami.si()).delay(),
        lambda jobs: chord([jobs.add.s(1, 2), jobs.third_time.s()], jobs.whoami.si()).delay(),
        lambda jobs: (group([jobs.add.s(1, 2), jobs.add.s(3, 4)]) | jobs.whoami.si()).delay(),
    ],
    ids=["chain", "chain-after-retries", "chord", "group-in-a-chain"],
)
def test_context_of_followers(jobs: Any, make: Callable[[Any], Any]) -> None:
    """What follows a task runs in the same action, for the same user."""
    with use_context(ALICES):
        found = make(jobs).get(timeout=SECONDS)

    assert (found["user"], found["correlation_id"]) == (ALICE, "action-1")


@pytest.mark.parametrize("failing", ["fail", "endless"])
def test_context_of_errbacks(jobs: Any, failing: str) -> None:
    """So does what runs because a task has failed."""
    args = ("hunter2",) if failing == "fail" else ()
    follower = jobs.whoami.si().set(task_id=str(uuid.uuid4()))
    with use_context(ALICES):
        getattr(jobs, failing).apply_async(args, link_error=follower)
    found = jobs.celery.AsyncResult(follower.id).get(timeout=SECONDS)

    assert (found["user"], found["correlation_id"]) == (ALICE, "action-1")


def test_repeated(jobs: Any) -> None:
    """A message as it was sent is run: a signature has no age, and at-least-once means that."""
    envelope = jobs.celery._envelope("background_jobs.add", "repeated", (1, 2), {}, {})
    with _stranger(jobs) as app:
        app.send_task("background_jobs.add", (1, 2), task_id="repeated", headers={"mysingle": envelope})

    assert jobs.celery.AsyncResult("repeated").get(timeout=SECONDS) == 3


def test_pickle(jobs: Any) -> None:
    """A message in another form than JSON is thrown away unread, and the worker goes on."""
    with _stranger(jobs, task_serializer="pickle") as app:
        app.send_task("background_jobs.forbidden")

    assert not _was_run(jobs)


def test_keys(jobs: Any) -> None:
    """Every key of the broker has the service's name, and results are where the allocation has them."""
    jobs.add.delay(1, 2).get(timeout=SECONDS)
    with jobs.notes() as connection:
        connection.select(10)
        broker = {key.split(":")[1] for key in connection.keys("*")}
        connection.select(11)
        results = connection.keys("*")

    assert broker == {"jobs-service"}
    assert all(key.startswith("celery-task-meta-") for key in results if not key.startswith("celery-taskset-meta-"))


def test_results_expire(jobs: Any) -> None:
    """A result is gone after a day."""
    sent = jobs.add.delay(1, 2)
    sent.get(timeout=SECONDS)
    with jobs.notes() as connection:
        connection.select(11)
        ttl = connection.ttl(f"celery-task-meta-{sent.id}")

    assert 86_000 < ttl <= 86_400


def test_no_subscriptions(jobs: Any) -> None:
    """Sending subscribes to nothing: a web process would collect one channel for each task."""
    sent = {f"celery-task-meta-{jobs.add.delay(1, 2).id}" for _ in range(20)}
    with jobs.notes() as connection:
        assert sent.isdisjoint(connection.pubsub_channels())


def _records(log_file: Path, event: str, task_id: str) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in log_file.read_text(encoding="utf-8").splitlines()]
    return [record for record in records if record["body"] == event and record.get("task.id") == task_id]


def test_log(jobs: Any, log_file: Path) -> None:
    """Each task is one line with its action and its user; values of arguments are in none, nor any secret."""
    with use_context(ALICES):
        good, bad = jobs.add.delay(111222333444555, 555444333222111), jobs.fail.delay("hunter2")
    (succeeded,) = _wait_for(lambda: _records(log_file, "task.succeeded", good.id))
    (failed,) = _wait_for(lambda: _records(log_file, "task.failed", bad.id))
    text = log_file.read_text(encoding="utf-8")

    for record in (succeeded, failed):
        assert (record["correlation_id"], record["user_id"], record["task.attempt"]) == ("action-1", ALICE, 1)
    assert failed["exception.type"] == "ValueError"
    assert text.count(bad.id) == len(["task.id", "request_id"])
    assert not any(value in text for value in ("hunter2", "111222333444555", "555444333222111"))


def test_unknown_task(jobs: Any, log_file: Path) -> None:
    """A task that this worker does not know, as after a new release of the sender, is named; its arguments are not."""
    sent = jobs.celery.send_task("background_jobs.unknown", ("swordfish",))
    with pytest.raises(Exception, match=r"background_jobs\.unknown"):
        sent.get(timeout=SECONDS)
    _wait_for(lambda: "background_jobs.unknown" in log_file.read_text(encoding="utf-8"))

    text = log_file.read_text(encoding="utf-8")
    assert "background_jobs.unknown" in text
    assert "swordfish" not in text
