"""The storage of a stock client keeps its fields apart, and looks them up without reading source files."""

import inspect

import pytest
from pyrogram import Client

from edge.userbot.telegram.quick_storage import quicken_storage

FIELDS = {"dc_id": 2, "api_id": 7, "test_mode": 1, "auth_key": b"key", "date": 5, "user_id": 11, "is_bot": 0}


async def test_each_field_is_stored_and_found_under_its_own_name(monkeypatch):
    quicken_storage()
    monkeypatch.setattr(inspect, "stack", lambda *_: pytest.fail("the source of the whole stack is read"))
    storage = Client("quick", 1, "hash", in_memory=True).storage
    await storage.open()
    for name, value in FIELDS.items():
        await getattr(storage, name)(value)
    assert {name: await getattr(storage, name)() for name in FIELDS} == FIELDS
    await storage.close()
