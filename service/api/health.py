"""Is the process alive, and would it answer?"""

from fastapi import APIRouter
from pydantic import BaseModel

from service.api.errors import NotReadyError
from service.api.problem_docs import problem_responses
from service.api.routes import ReadyEngine

router = APIRouter(tags=["health"])


class HealthBody(BaseModel):
    """`alive`, or `ready`."""

    status: str


@router.head("/livez", include_in_schema=False)
@router.get("/livez")
async def livez() -> HealthBody:
    """Whether the process runs; says nothing of the model."""
    return HealthBody(status="alive")


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", responses=problem_responses("not-ready"))
async def readyz(engine: ReadyEngine) -> HealthBody:
    """Whether the model is warm, here or in a worker, and a request would be answered; else 503 `not-ready`."""
    if not await engine.is_served():
        raise NotReadyError("nobody is there to answer")
    return HealthBody(status="ready")
