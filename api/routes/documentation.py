"""The API's documentation for people, with nothing from a CDN: it works wherever the service does."""

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

STATIC = "/docs/static"
CONTENT_SECURITY_POLICY = (
    # Swagger UI is started by a script in the page, and draws with styles in its elements.
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def show(request: Request) -> HTMLResponse:
    """Swagger UI over the OpenAPI document."""
    root = request.scope.get("root_path", "")
    app: FastAPI = request.app
    response = get_swagger_ui_html(
        openapi_url=f"{root}{app.openapi_url}",
        title=f"{app.title}: the API",
        swagger_js_url=f"{root}{STATIC}/swagger/swagger-ui-bundle.js",
        swagger_css_url=f"{root}{STATIC}/swagger/swagger-ui.css",
        swagger_favicon_url=f"{root}{STATIC}/fastapi/favicon.png",
        # The models stand with the operations; closed they don't bury them.
        swagger_ui_parameters={"defaultModelsExpandDepth": 0, "displayRequestDuration": True, "tryItOutEnabled": True},
    )
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


def install(app: FastAPI) -> None:
    """Serve the page and what it loads. The application is made with `docs_url=None, redoc_url=None`."""
    app.include_router(router)
    app.mount(STATIC, StaticFiles(packages=[("fastapi_standalone_docs", "static")]))
