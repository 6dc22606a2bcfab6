"""`/ping` is answered at once, even while an answer is being written."""

from datetime import UTC, datetime

import pytest

from edge.userbot import phrases
from edge.userbot.chat.commands import Ping, parse
from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.record import ChatRecord
from edge.userbot.chat.transitions import receive
from edge.userbot.rules import Rules

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_it_is_recognised_without_an_argument() -> None:
    assert parse("/PING") == Ping()
    assert parse("/ping pong") is None


@pytest.mark.parametrize(("locale", "says"), [("ru", "Я здесь."), ("en", "I am here.")])
def test_it_is_answered_while_a_question_is_in_work(locale: str, says: str) -> None:
    record = receive(ChatRecord(), Incoming("7", "42", 1, "Тимоха, раз", locale, NOW), Rules(), NOW).record
    record = receive(record, Incoming("7", "42", 2, "/ping", locale, NOW), Rules(), NOW).record
    assert [notice.text for notice in record.notices] == [says]
    assert record.current is not None
    assert "/ping" in phrases.help_text(locale, "Тимоха,")
