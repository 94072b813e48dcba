"""The built front end, served by the backend itself when there is no nginx before it (``make run``)."""

from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'; "
    "object-src 'none'"
)
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}
_PAGES: Final = ("c/", "models", "prompts", "login", "welcome", "settings", "admin")
_PROGRAMS: Final = ("api/", "v1/", "assets/")


class Pages(StaticFiles):
    """Files of the build; a page's address gives the application.

    Any other unknown path is 404: to a browser that goes there the application says so, to a program we do.
    """

    async def get_response(self, path: str, scope: Scope) -> Response:
        try:
            response = await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404 or not (path.startswith(_PAGES) or _is_visit(path, scope)):
                raise
            response = await super().get_response("index.html", scope)
        response.headers.update(SECURITY_HEADERS)
        immutable = path.startswith("assets/")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if immutable else "no-cache"
        return response


def _is_visit(path: str, scope: Scope) -> bool:
    """Whether somebody typed an address, or followed a link to it: programs do not ask for a page."""
    return "text/html" in Headers(scope=scope).get("accept", "") and not path.startswith(_PROGRAMS)


def mount(app: FastAPI, folder: Path) -> None:
    """Serve the front end from ``folder`` at ``/``; every route added before wins over it."""
    app.mount("/", Pages(directory=folder, html=True), name="pages")
