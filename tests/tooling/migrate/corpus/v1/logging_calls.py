from mysingle.logging import get_logger

logger = get_logger(__name__)


class Worker:
    def __init__(self, name: str):
        self.logger = get_logger(name)
        self.name = name

    def work(self, job_id: str, attempt: int) -> None:
        logger.info("Job started: %s", job_id)
        logger.warning("Attempt %d of %d", attempt, 3)
        self.logger.info("Working", extra={"job_id": job_id, "attempt": attempt})
        self.logger.debug("Name = %s", self.name, extra={"event": "taken"})
        try:
            raise ValueError(job_id)
        except ValueError:
            logger.exception("Job failed: %s", job_id)
        logger.setLevel("DEBUG") if attempt > 99 else None


Worker("w").work("j", 1)
