"""The new line is said with its number, and the new language is spoken."""

import pytest

from edge.userbot import phrases
from edge.userbot.settings import UserbotSettings
from edge.userbot.texts.files import languages


@pytest.mark.parametrize(("days", "said"), [(1, "Я в Казани на 1 день."), (3, "Я в Казани на 3 дня.")])
def test_the_line_is_said(days: int, said: str) -> None:
    assert phrases.away("ru", "Казани", days) == said


def test_the_language_is_spoken() -> None:
    assert "eo" in languages()
    assert phrases.language("eo-XX") == "eo"
    assert phrases.deleted("eo", cancelled=False) == "Farite: nia konversacio estas forgesita."
    assert UserbotSettings.read(api_id=1, api_hash="a", language="eo").language == "eo"
