"""`python -m tests.service.jobs.faulty_worker`: a worker whose decoder breaks on demand, real in all else."""

import sys

from service.inference.build import build_batch_engine
from service.jobs.build import build_job_parts
from service.jobs.job import Lane
from service.settings import Settings
from service.telemetry import configure_logging
from service.worker.process import WorkerProcess

if __name__ == "__main__":
    configure_logging("INFO")
    settings = Settings()
    parts = build_job_parts(settings)
    parts.wait_for_redis()
    engine = build_batch_engine(settings, "tests.service.faulty_decoder:decode")
    sys.exit(WorkerProcess(settings, parts, engine, list(Lane)).run())
