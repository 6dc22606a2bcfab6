"""`timokha generate` around its model's process."""

import asyncio
import threading

from functions.generate import app
from functions.generate.settings import GenerateSettings


async def test_a_model_that_is_in_the_middle_of_a_step_does_not_hold_up_the_end(monkeypatch, tmp_path):
    stepped = threading.Event()

    class Begun:
        def close(self):
            stepped.wait()

    async def ends_at_once(*_, **__): ...

    monkeypatch.setattr(app, "_serve", ends_at_once)
    try:
        settings = GenerateSettings.read(cache=tmp_path)
        await asyncio.wait_for(app.main(settings, None, asyncio.Event(), begun=Begun()), 10)
    finally:
        stepped.set()
