"""Acknowledging alerts (RM-5), for every way in: HTTP, command line, Telegram."""

from __future__ import annotations

from api.acknowledging.service import AcknowledgeAnswer, AcknowledgeRequest, AcknowledgeService

__all__ = ["AcknowledgeAnswer", "AcknowledgeRequest", "AcknowledgeService"]
