"""What a generate function does where its broker takes nothing more from it."""

from contextlib import asynccontextmanager
from random import Random
from types import SimpleNamespace

import pytest

from events.errors import TransportError
from events.rabbitmq.upkeep import Upkeep
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from functions.generate.settings import GenerateSettings
from functions.generate.triggers import rabbitmq


async def test_it_ends_although_all_its_slots_are_busy_when_rabbitmq_fails_for_good(monkeypatch) -> None:
    upkeep = Upkeep(SystemClock(), lambda: True)

    @asynccontextmanager
    async def connect(*_, **__):
        yield SimpleNamespace(sender=None, consuming=None, upkeep=upkeep, problem=str)

    async def ensure(_) -> None:
        pass

    monkeypatch.setattr(rabbitmq, "connect", connect)
    monkeypatch.setattr(rabbitmq.topology, "ensure", ensure)
    async with rabbitmq.open_trigger(
        GenerateSettings(trigger="rabbitmq"), Retrying(SystemClock(), Random(1))
    ) as trigger:
        upkeep.fail(TransportError("this user may not"))
        with pytest.raises(TransportError, match="may not"):
            await trigger.upkeep()
