"""The console as it is served: files that were built beforehand and hold no data, each under its exact path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse, Response

BUILT = Path(__file__).parents[1] / "console" / "dist"
"""What `make console` has built of the sources beside it."""

PREFIX = "/console"
KINDS = {".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2"}

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, and no script or style but these files'."""

FOREVER = "public, max-age=31536000, immutable"
"""A file's name holds the hash of its content."""


def asset_paths(built: Path = BUILT) -> frozenset[str]:
    """The paths of the files beside the page. They need no token: who logs in has none yet."""
    return frozenset(f"{PREFIX}/assets/{path.name}" for path in (built / "assets").glob("*") if path.suffix in KINDS)


def add_console(app: FastAPI, built: Path = BUILT) -> None:
    """The page at `/` and its files."""

    @app.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        html = (built / "index.html").read_text(encoding="utf-8")
        return HTMLResponse(html, headers={"Content-Security-Policy": POLICY})

    for path in sorted(asset_paths(built)):
        app.add_api_route(path, _file(built / "assets" / path.rpartition("/")[2]), include_in_schema=False)


def _file(path: Path) -> Callable[[], Awaitable[Response]]:
    async def send() -> Response:
        return FileResponse(path, media_type=KINDS[path.suffix], headers={"Cache-Control": FOREVER})

    return send
