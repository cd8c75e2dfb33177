"""The pages as they are served, and the headers of every answer: nothing foreign runs in them, nothing frames them."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

STATIC = Path(__file__).parent / "static"

HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)


def page_policy(html: str) -> str:
    """A content policy under which a page may run exactly the scripts and styles it is written with, and nothing from
    elsewhere."""

    return (
        f"default-src 'none'; script-src {_hashes(html, 'script')}; style-src {_hashes(html, 'style')}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def report_policy(html: str) -> str:
    """A content policy for the report of a backtest: its own scripts in a sandbox, that is in an origin that has no
    cookie and may ask no server for anything. Its charts are drawn with styles of their own."""
    return (
        f"sandbox allow-scripts; default-src 'none'; script-src {_hashes(html, 'script')}; "
        "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hashes(html: str, tag: str) -> str:
    blocks = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(block.encode()).digest()).decode() for block in blocks)
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"


def add_pages(app: FastAPI) -> None:
    """The documents. They hold no data and need no token."""

    @app.get("/docs", include_in_schema=False)
    async def documents() -> HTMLResponse:
        return _page("docs.html")


def _page(name: str) -> HTMLResponse:
    html = (STATIC / name).read_text(encoding="utf-8")
    return HTMLResponse(html, headers={"Content-Security-Policy": page_policy(html)})
