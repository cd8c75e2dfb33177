"""The channels that are on."""

from __future__ import annotations

from collections.abc import Mapping

from actors.notifications.ports import ChannelPort
from infra.config.notifications import NotificationsConfig
from statemachines.notifications.message import ChannelName


def channels_of(config: NotificationsConfig, installation: str) -> Mapping[ChannelName, ChannelPort]:
    """A port for each channel that is configured. Libraries are loaded for these alone."""
    return {name: _made(name, config, installation) for name in config.channels}


def _made(name: ChannelName, config: NotificationsConfig, installation: str) -> ChannelPort:
    match name:
        case ChannelName.TELEGRAM:
            from infra.notifications.telegram import TelegramChannel

            return TelegramChannel(config.telegram, config.proxy())
        case ChannelName.EMAIL:
            from infra.notifications.email import EmailChannel

            return EmailChannel(config.email)
        case ChannelName.PAGERDUTY:
            from infra.notifications.pagerduty import PagerDutyChannel

            return PagerDutyChannel(config.pagerduty, config.proxy())
        case ChannelName.WEBHOOK:
            from infra.notifications.webhook import WebhookChannel

            return WebhookChannel(config.webhook, installation, proxy=config.proxy())
