"""The interface's own OpenAPI document, without a database or a running system."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.access.answers import Refused
from api.http.app import create_app
from api.service import OperatorService
from api.snapshot import SnapshotCache
from infra.database.queries import Queries


def openapi() -> dict[str, Any]:
    """As `GET /api/v1/openapi.json` answers it."""

    def nothing() -> Mapping[str, Any]:
        raise LookupError("there is no system")

    service = OperatorService(Queries("postgresql:///unused"), SnapshotCache(nothing), lambda: "none", True)
    document: dict[str, Any] = create_app(service, lambda _presented: Refused(401, "none")).openapi()
    return document
