"""The application, put together from its parts; nothing happens when this module is imported."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from service.api import docs, health, job_routes, problem_docs, routes
from service.api.context import RequestContextMiddleware
from service.api.job_desk import JobDesk
from service.api.problems import install_handlers
from service.api.upload_limit import UploadLimitMiddleware
from service.inference.build import build_engine
from service.inference.engine import Engine
from service.settings import Settings
from service.version import VERSION

_DESCRIPTION = """Findings with boxes around the evidence, and anomaly maps, from frontal chest radiographs
(DICOM, PNG, JPEG).

**For research use only. Not a medical device; not for diagnosis.**

Every error is `application/problem+json` with a stable `type`; [/problems](/problems) explains them all.
"""


def create_app(settings: Settings, *, engine: Engine | None = None, jobs: JobDesk | None = None) -> FastAPI:
    """An application around an engine and a desk for jobs, which it starts and closes.

    Args:
        engine: None for a local one.
        jobs: None where there is no job store: jobs are then answered with `store-unavailable`.

    Raises:
        InvalidBundleError: that bundle cannot be served.
    """
    served = build_engine(settings) if engine is None else engine

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            await served.start()
            if jobs is not None:
                jobs.start()
            yield
        finally:
            if jobs is not None:
                jobs.close()
            await served.close()

    app = FastAPI(
        title="Thorascope",
        version=VERSION,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would be built from the client's Host header
    )
    app.state.settings = settings
    app.state.engine = served
    app.state.jobs = jobs
    install_handlers(app)
    app.include_router(routes.router)
    app.include_router(routes.router, prefix="/v1")
    app.include_router(routes.model_router, prefix="/v1")
    app.include_router(job_routes.router, prefix="/v1")
    for part in (health, problem_docs, docs):
        app.include_router(part.router)
    app.add_middleware(
        UploadLimitMiddleware,
        limit_bytes=settings.upload_limit_bytes,
        memory_bytes=settings.upload_memory_bytes,
        timeout_s=settings.upload_timeout_s,
        streams={"/v1/jobs": settings.job_limit_bytes},
    )
    app.add_middleware(RequestContextMiddleware)
    return app
