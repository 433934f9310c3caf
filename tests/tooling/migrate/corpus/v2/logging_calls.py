from mysingle.core.logging import get_logger

logger = get_logger(__name__)


class Worker:
    def __init__(self, name: str):
        self.logger = get_logger(name)
        self.name = name

    def work(self, job_id: str, attempt: int) -> None:
        logger.info("Job started", job_id=job_id)
        logger.warning("Attempt %d of %d", attempt, 3)
        self.logger.info("Working", job_id=job_id, attempt=attempt)
        self.logger.debug("Name", name=self.name, extra={"event": "taken"})
        try:
            raise ValueError(job_id)
        except ValueError:
            logger.exception("Job failed", job_id=job_id)
        logger.setLevel("DEBUG") if attempt > 99 else None


Worker("w").work("j", 1)
