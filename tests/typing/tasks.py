"""Background tasks with the types of their functions: checked by mypy in strict mode, never run."""

from typing import Any, assert_type

from mysingle.tasks import create_celery_app

celery = create_celery_app("report-service")


@celery.task
def add(left: int, right: int) -> int:
    return left + right


@celery.task(autoretry_for=(OSError,))
async def write(name: str) -> None:
    print(name)


@celery.task(bind=True)
def attempts(self: Any, most: int) -> bool:
    return bool(self.request.retries < most)


async def use() -> None:
    """Send and call."""
    assert_type(add(1, 2), int)
    assert_type(await add.enqueue(1, right=2), str)
    await add.enqueue("1", 2)  # type: ignore[arg-type]  # a text is no number
    await write.enqueue()  # type: ignore[call-arg]  # it needs a name
    await write("here and now")
    assert_type(await attempts.enqueue(3), str)
    add.apply_async((1, 2), countdown=5)
