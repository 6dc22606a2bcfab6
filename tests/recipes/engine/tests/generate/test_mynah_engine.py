"""The engine is chosen by its name, and answers."""

from events.runtime.clock import SystemClock
from events.schema import Role, Sampling, Turn
from functions.generate.app import open_engine
from functions.generate.settings import GenerateSettings


async def test_it_answers() -> None:
    engine = await open_engine(GenerateSettings.read(engine="mynah", mynah_word="Ara"), clock=SystemClock())
    answer = await engine.generate([Turn(role=Role.USER, text="hello")], Sampling())
    assert answer.text == "Ara hello"
