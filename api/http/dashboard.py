"""The way from our page to Ray's dashboard: it requires Ray's token, which the page's script must not see."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from api.http.routes.common import PREFIX

COOKIE = "ray-authentication-token"
"""The cookie that Ray's dashboard sets itself after its own form; cookies of a host hold for all of its ports."""

COOKIE_AGE_S = 8 * 3600


class DashboardAddress(BaseModel):
    """Where Ray's dashboard is; the answer's cookie opens it on the same host."""

    port: int = Field(description="TCP port on the host of this interface")
    path: str


@dataclass(frozen=True)
class Dashboard:
    """Ray's dashboard and the token that opens it."""

    url: str
    token: str

    def __repr__(self) -> str:
        return f"Dashboard({self.url})"


def find_dashboard(url: str, environment: Mapping[str, str] = os.environ) -> Dashboard | None:
    """The dashboard as this process of Ray's can open it; None when it has no address or no token."""
    token, path = environment.get("RAY_AUTH_TOKEN", ""), environment.get("RAY_AUTH_TOKEN_PATH", "")
    if not token:
        try:
            token = Path(path or Path.home() / ".ray" / "auth_token").read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return None
    return Dashboard(url, token) if url and token else None


def add_dashboard(
    router: APIRouter, allowed: list[Any], dashboard: Dashboard | None, refusals: Mapping[int | str, dict[str, Any]]
) -> None:
    """The route behind the page's link; `allowed` is who may: Ray's token executes code."""

    @router.post(
        f"{PREFIX}/ray-dashboard",
        tags=["control"],
        summary="Open Ray's dashboard",
        dependencies=allowed,
        response_model=None,
        responses={200: {"model": DashboardAddress, "description": "the answer"}, **refusals},
    )
    async def open_dashboard() -> JSONResponse:
        """The dashboard's port and path; the cookie set with it opens it in this browser."""
        if dashboard is None:
            return JSONResponse({"error": "Ray's dashboard has no address or no token here; see `eternal run`."}, 503)
        parts = urlsplit(dashboard.url)
        answer = JSONResponse({"port": parts.port or 80, "path": parts.path or "/"})
        answer.set_cookie(COOKIE, dashboard.token, max_age=COOKIE_AGE_S, path="/", httponly=True, samesite="strict")
        return answer
