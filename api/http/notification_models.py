"""Answers about messages to people, for the documents; tests hold the answers against them."""

from __future__ import annotations

from pydantic import Field

from api.http.models import Model, Ms


class ChannelRow(Model):
    """A channel to people and how it is. Instants are wall time in ISO 8601."""

    channel: str
    state: str = Field(description="OFF (not configured), WORKING, FAILING or DOWN")
    russian: str
    waiting: int = Field(description="deliveries that have not ended")
    delivered: int = Field(description="messages that it has taken")
    delivered_at: str | None = Field(description="when it took the newest; null: none yet")
    failures: int = Field(description="failed tries in a row")
    next_at: str | None = Field(description="the next try of a failing channel")
    last_error: str


class NotificationStatus(Model):
    """Whether alerts reach people."""

    state: str = Field(description="OFF, IDLE, DELIVERING, or CUT_OFF: no channel works")
    russian: str
    critical_unacknowledged: int = Field(description="critical alerts that stand and were not acknowledged")
    channels: list[ChannelRow]


class DeliveryRow(Model):
    """A message about an alert, or a report, over one channel. Instants ending in `_at` are wall time in ISO 8601."""

    delivery_id: str
    number: int = Field(description="in the order of their creation")
    kind: str = Field(description="alert or report")
    channel: str
    action: str = Field(description="raise, change, repeat, acknowledge, resolve or report")
    alert_id: str = Field(description="the alert's number, the same in every repeat; empty for a report")
    severity: str
    title: str
    state: str = Field(description="WAITING, SENDING, RETRY, DELIVERED, REFUSED or EXPIRED")
    attempts: int
    market_ms: Ms
    created_at: str
    next_at: str = Field(description="not sent before")
    ended_at: str | None
    remote_id: str = Field(description="the receiver's number of it")
    reason: str = Field(description="why it was not delivered yet, or at all")
