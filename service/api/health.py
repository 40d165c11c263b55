"""Is the process alive, and would it answer?"""

from fastapi import APIRouter
from pydantic import BaseModel

from service.api.problem_docs import problem_responses
from service.api.routes import ReadyEngine

router = APIRouter(tags=["health"])


class HealthBody(BaseModel):
    """`alive`, or `ready`."""

    status: str


@router.get("/livez")
async def livez() -> HealthBody:
    """Whether the process runs; says nothing of the model."""
    return HealthBody(status="alive")


@router.get("/readyz", responses=problem_responses("not-ready"))
async def readyz(_engine: ReadyEngine) -> HealthBody:
    """Whether the model is warm and a request would be taken; else 503 `not-ready`."""
    return HealthBody(status="ready")
