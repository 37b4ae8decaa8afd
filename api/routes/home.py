"""The page for people, at the front door. It is a caller of the API like any other, and is trusted with nothing."""

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import FileResponse
from pydantic import AnyHttpUrl, BaseModel

from api.page_files import PageFiles, content_security_policy
from db.settings import settings
from db.storage import object_store

router = APIRouter(include_in_schema=False)

FILES = PageFiles(directory=Path(__file__).parents[1] / "page")
SAMPLE = Path(str(files("mainmask"))) / "sample" / "snowboard.jpg"


class PageSettings(BaseModel):
    """What the page has to know of the service before it asks for anything."""

    maximum_image_bytes: int
    maximum_description_characters: int
    flower_url: AnyHttpUrl | None


@router.get("/")
async def home(request: Request) -> Response:
    """The page itself; its parts are below `/page/`."""
    response = await FILES.get_response("index.html", request.scope)
    response.headers["Content-Security-Policy"] = content_security_policy(object_store().public_origin)
    return response


@router.get("/page/settings.json")
def page_settings() -> PageSettings:
    """For everyone: no secret is among them."""
    return PageSettings.model_validate(settings(), from_attributes=True)


@router.get("/page/sample.jpg")
def sample() -> FileResponse:
    """The bundled picture, for who has none at hand."""
    return FileResponse(SAMPLE)


def install(app: FastAPI) -> None:
    """Serve the page and its files."""
    app.include_router(router)
    app.mount("/page", FILES)
