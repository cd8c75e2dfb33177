"""Several chats of Telegram, of which one does not take messages (RM-5, IF-4): the other has everything once."""

from __future__ import annotations

import pytest
from aiohttp import web

from infra.notifications import telegram
from statemachines.notifications.delivery import DeliveryState
from statemachines.notifications.message import ChannelName, Delivered, RefusedForGood, TryAgain
from tests.infra.notifications.receivers import Receiver, Request, receiving, telegram_refuses, telegram_takes
from tests.infra.notifications.test_channels import message, part, telegram_channel
from tests.statemachines.notifications.world import started

LIVING, DEAD = "5", "6"
BLOCKED = telegram_refuses(403, "Forbidden: bot was blocked by the user")


def one_is_dead(request: Request) -> web.StreamResponse | float:
    return telegram_takes(request) if str(request.fields["chat_id"]) == LIVING else BLOCKED(request)


def texts(receiver: Receiver, chat: str) -> list[str]:
    return [one.fields["text"] for one in receiver.requests if str(one.fields["chat_id"]) == chat]


def test_a_dead_chat_repeats_nothing_in_the_living_one() -> None:
    with receiving(Receiver(one_is_dead)) as api:
        world = started(channels=(ChannelName.TELEGRAM,))
        world.answers[ChannelName.TELEGRAM] = telegram_channel(api, LIVING, DEAD).send
        ids = []
        for number in range(6):
            ids.append(world.alert("info", f"condition:{number}"))
            world.run(1_500, 500)
        had = texts(api, LIVING)
        assert [sum(f"Title {one}" in text for text in had) for one in ids] == [1] * len(ids)
        api.usual = telegram_takes
        world.run(1_500, 100)
        assert texts(api, LIVING) == had
        assert all(f"Title {one}" in texts(api, DEAD)[-1] for one in ids)
        assert world.open() == []


def test_a_chat_gets_only_what_it_does_not_have() -> None:
    first, second = part("First", alert_id="a:1:0"), part("Second", alert_id="a:2:0")
    with receiving(Receiver(one_is_dead)) as api:
        channel = telegram_channel(api, LIVING, DEAD)
        assert isinstance(channel.send(message(first)), TryAgain)
        assert isinstance(channel.send(message(first, second)), TryAgain)
        assert ["First" in one for one in texts(api, LIVING)] == [True, False]
        api.usual = telegram_takes
        assert channel.send(message(first, second)) == Delivered(f"{LIVING}:77, {DEAD}:77")
        assert len(texts(api, LIVING)) == 2
        channel.send(message(first))
        assert len(texts(api, LIVING)) == 3, "a later message of this text is another one"


def test_what_one_chat_refuses_for_good_is_another_message_the_next_time() -> None:
    refuses = telegram_refuses(400, "Bad Request: can't parse entities")
    with receiving(Receiver(telegram_takes, [telegram_takes, refuses])) as api:
        channel = telegram_channel(api, LIVING, DEAD)
        assert isinstance(channel.send(message()), RefusedForGood)
        assert isinstance(channel.send(message()), Delivered)
        assert (len(texts(api, LIVING)), len(texts(api, DEAD))) == (2, 2)


def test_alerts_of_a_refused_group_come_to_the_other_chat_once() -> None:
    def usual(request: Request) -> web.StreamResponse | float:
        is_refused = str(request.fields["chat_id"]) == DEAD and "POISON" in request.fields["text"]
        return (telegram_refuses(400, "Bad Request: can't parse entities") if is_refused else telegram_takes)(request)

    with receiving(Receiver(usual)) as api:
        world = started(channels=(ChannelName.TELEGRAM,))
        world.answers[ChannelName.TELEGRAM] = telegram_channel(api, LIVING, DEAD).send
        ids = [world.alert("info", title="POISON"), world.alert("info"), world.alert("warning")]
        world.run(60)
        assert len(texts(api, LIVING)) == 1
        assert [row.alert_id for row in world.deliveries.values() if row.state == DeliveryState.REFUSED] == ids[:1]
        assert all(any(f"Title {one}" in text for text in texts(api, DEAD)[1:]) for one in ids[1:])


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telegram, "REMEMBERED", 3)
    with receiving(Receiver(one_is_dead)) as api:
        channel = telegram_channel(api, LIVING, DEAD)
        for number in range(9):
            channel.send(message(part(alert_id=f"a:{number}:0")))
        assert len(vars(channel)["_sent"]) == 3
