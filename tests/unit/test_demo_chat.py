"""What the demo's chat makes of messages that come, change and follow each other."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from cli.demo.chat import DemoChat
from edge.userbot.chat.record import ChatRecord, Question, ask
from events.ids import RequestId
from events.runtime.clock import SystemClock

NOW = datetime(2026, 11, 24, tzinfo=UTC)
QUESTION, COPY, LINE = 1, 11, 2
ASKING = ChatRecord(
    seen=(COPY,),
    current=ask(Question(message_id=COPY, text="раз", locale="ru", asked_at=NOW), RequestId("1", "2", str(COPY)), NOW),
)
DONE = ChatRecord(seen=(COPY,))


class Telegram:
    """The visitor's view of the chat, and the record; the visitor has asked."""

    def __init__(self) -> None:
        self.record = ASKING
        self.history = {}
        self.printed = []
        self.chat = DemoChat(
            telegram=self,
            client=self,
            owner=1,
            visitor=2,
            chats=self,
            prefix="Тимоха,",
            names={"timokha"},
            show=self.printed.append,
            clock=SystemClock(),
        )
        self.chat._asked[QUESTION] = COPY
        self.put(QUESTION, "Тимоха, раз", outgoing=True)

    def put(self, number, text, *, reply_to=None, edited=False, outgoing=False) -> None:
        self.history[number] = SimpleNamespace(
            id=number,
            text=text,
            entities=None,
            reply_to_message_id=reply_to,
            edit_date=NOW if edited else None,
            outgoing=outgoing,
        )

    def messages(self, user: int, peer: int) -> list[object]:
        """As the sandbox shows them, which is asked for reactions; there are none."""
        return []

    async def load(self, chat: str) -> ChatRecord:
        return self.record

    async def get_chat_history(self, owner: int):
        for number in sorted(self.history, reverse=True):
            yield self.history[number]

    async def shows(self, *lines: str) -> None:
        await self.chat.refresh()
        assert self.printed == list(lines)
        self.printed.clear()


@pytest.fixture
def telegram() -> Telegram:
    return Telegram()


async def test_a_line_that_becomes_the_answer_is_printed_when_it_is_whole(telegram) -> None:
    telegram.put(LINE, "Думаю…", reply_to=QUESTION)
    await telegram.shows("bot~ Думаю…")
    telegram.put(LINE, "Хорошо,", reply_to=QUESTION, edited=True)
    await telegram.shows()
    assert telegram.chat.growing == "Хорошо,"
    telegram.put(LINE, "Хорошо, а у тебя?", reply_to=QUESTION, edited=True)
    telegram.record = DONE
    await telegram.shows("bot> Хорошо, а у тебя?")
    assert telegram.chat.growing == ""
    await telegram.shows()


async def test_further_messages_of_an_answer_come_after_the_line_that_it_began_in(telegram) -> None:
    telegram.put(LINE, "раз два", reply_to=QUESTION, edited=True)
    telegram.put(3, "три", reply_to=LINE)
    await telegram.shows("bot> раз два", "bot> три")
    telegram.put(4, "четыре", reply_to=LINE)
    telegram.record = DONE
    await telegram.shows("bot> четыре")


async def test_an_answer_of_its_own_leaves_the_thinking_line_alone(telegram) -> None:
    telegram.put(LINE, "Думаю…", reply_to=QUESTION)
    await telegram.shows("bot~ Думаю…")
    telegram.put(3, "раз", reply_to=LINE)
    telegram.record = DONE
    await telegram.shows("bot> раз")
    await telegram.shows()


async def test_an_edited_message_that_is_no_line_is_printed_once(telegram) -> None:
    telegram.put(2, "справка", reply_to=99)
    await telegram.shows("bot> справка")
    telegram.put(2, "другая справка", reply_to=99, edited=True)
    await telegram.shows()
