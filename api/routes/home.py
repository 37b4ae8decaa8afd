"""The front door."""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

router = APIRouter(include_in_schema=False)


@router.get("/")
def home() -> RedirectResponse:
    """Who opens the service in a browser finds its documentation."""
    return RedirectResponse("/docs")
