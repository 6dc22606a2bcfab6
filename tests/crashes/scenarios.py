"""What users, workers and the owner do while the edge dies, and what must be true in the end."""

from datetime import timedelta

from edge.userbot import phrases
from edge.userbot.delays import Delay
from edge.userbot.formatting.messages import formatted_messages, split
from edge.userbot.people import People
from edge.userbot.rules import Rules
from edge.userbot.triggers import Triggers
from events.schema import FailureReason
from tests.crashes.chat import FIRST_OWN
from tests.crashes.stories import Delete, Edit, Scenario

LONG = " ".join(str(number) for number in range(1200))
MARKED = "\n".join(f"* **{number}** и `{number}`" for number in range(400))
"""Cut elsewhere if it is plain."""

ALL = Triggers.of(["private"])

SCENARIOS = {
    "an answer in several parts": Scenario(
        ("Тимоха, раз",),
        lambda chat, record: (
            chat.replies == split(LONG) and chat.thoughts == 1 and [t.text for t in record.history][1:] == [LONG]
        ),
        answer=lambda text: LONG,
    ),
    "a formatted answer in several parts": Scenario(
        ("Тимоха, раз",),
        lambda chat, record: (
            chat.replies == [part.text for part in formatted_messages(MARKED, formatted=True)]
            and chat.thoughts == 1
            and [t.text for t in record.history][1:] == [MARKED]
        ),
        answer=lambda text: MARKED,
    ),
    "a failure": Scenario(
        ("Тимоха, раз",),
        lambda chat, record: chat.replies == [phrases.failure("ru", FailureReason.REJECTED)] and chat.thoughts == 1,
        answer=lambda text: None,
    ),
    "a live answer in several parts": Scenario(
        ("Тимоха, раз",),
        lambda chat, record: (
            [text for text, _ in chat.texts] == split(LONG) and [t.text for t in record.history][1:] == [LONG]
        ),
        answer=lambda text: LONG,
        rules=Rules(live=True),
    ),
    "a live failure": Scenario(
        ("Тимоха, раз",),
        lambda chat, record: [text for text, _ in chat.texts] == [phrases.failure("ru", FailureReason.REJECTED)],
        answer=lambda text: None,
        rules=Rules(live=True),
    ),
    "a live answer whose thinking line the user has deleted": Scenario(
        ("Тимоха, раз",),
        lambda chat, record: chat.replies == ["ответ на раз"] and chat.thoughts == 1 and chat.texts[-1][1] == 1,
        rules=Rules(live=True),
        deleted=frozenset({1001}),
    ),
    "live questions that wait for each other": Scenario(
        ("Тимоха, раз", "Тимоха, два"),
        lambda chat, record: (
            [text for text, _ in chat.texts] == ["ответ на раз", "ответ на два"] and len(record.history) == 4
        ),
        rules=Rules(when_busy="queue", live=True),
    ),
    "an answer that grows in a live draft": Scenario(
        ("Тимоха, раз",),
        lambda chat, record: (
            [text for text, _ in chat.texts] == split(LONG) and [t.text for t in record.history][1:] == [LONG]
        ),
        answer=lambda text: LONG,
        rules=Rules(live=True),
        drafts=(True, True),
    ),
    "a live draft of which the next process must make messages": Scenario(
        ("Тимоха, раз", "Тимоха, два"),
        lambda chat, record: (
            [text for text, _ in chat.texts] == ["ответ на раз", "ответ на два"] and len(record.history) == 4
        ),
        rules=Rules(when_busy="queue", live=True),
        drafts=(True, False),
    ),
    "a thinking line in a chat that takes live drafts from the next process": Scenario(
        ("Тимоха, раз", "Тимоха, два"),
        lambda chat, record: (
            [text for text, _ in chat.texts] == ["ответ на раз", "ответ на два"] and len(record.history) == 4
        ),
        rules=Rules(when_busy="queue", live=True),
        drafts=(False, True),
    ),
    "a deletion while a live answer is being written": Scenario(
        ("Тимоха, раз", "/delete_history"),
        lambda chat, record: 1 <= len(chat.texts) <= 2 and record.history == (),
        answer=lambda text: "",
        rules=Rules(live=True),
    ),
    "no reply before the deadline": Scenario(
        ("Тимоха, раз",),
        lambda chat, record: chat.replies == [phrases.failure("ru", phrases.DEADLINE)] and chat.thoughts <= 1,
        answer=lambda text: "",
        rules=Rules(deadline=timedelta(seconds=0.15)),
    ),
    "questions that wait for each other": Scenario(
        ("Тимоха, раз", "Тимоха, два"),
        lambda chat, record: (
            chat.replies == ["ответ на раз", "ответ на два"] and chat.thoughts == 2 and len(record.history) == 4
        ),
        rules=Rules(when_busy="queue"),
    ),
    "an owner who takes over": Scenario(
        ("Тимоха, раз", "Тимоха, два"),
        lambda chat, record: (
            chat.replies == ["сам отвечу"]
            and chat.thoughts <= 1
            and len(chat.deleted) == chat.thoughts
            and record.history == ()
        ),
        answer=lambda text: "",
        rules=Rules(when_busy="queue"),
        owner="сам отвечу",
    ),
    "an owner who cuts an answer of several parts short": Scenario(
        ("Тимоха, раз",),
        lambda chat, record: "хватит" in chat.replies,
        answer=lambda text: LONG,
        owner="хватит",
    ),
    "the last answer of the day of all chats": Scenario(
        ("Тимоха, раз", "Тимоха, два"),
        lambda chat, record: (
            sorted(chat.replies) == sorted(["ответ на раз", phrases.refusal("ru", phrases.DAY_LIMIT)])
            and chat.thoughts == 1
        ),
        rules=Rules(max_answers_per_day_for_all=1, refused="line"),
    ),
    "somebody denied who wants to be forgotten": Scenario(
        ("Тимоха, раз", "/delete_history", "/help"),
        lambda chat, record: (
            chat.replies == [phrases.refusal("ru", phrases.REFUSED_PERSON)]
            and chat.thoughts == 0
            and record.deleted_to == 2
        ),
        rules=Rules(deny=People.of(["2"]), refused="line"),
    ),
    "a burst": Scenario(
        ("привет", "ты где?"),
        lambda chat, record: (
            chat.texts[1:] == [("ответ на привет\nты где?", FIRST_OWN)]
            and chat.texts[0][1] == 2
            and len(record.history) == 2
            and record.rate.without_prefix == 1
        ),
        rules=Rules(triggers=ALL),
    ),
    "a burst with an edit and something taken back, which the prefix ends": Scenario(
        ("превет", "дурак", Edit(1, "привет"), Delete(2), "Тимоха, ты где"),
        lambda chat, record: chat.replies == ["ответ на привет\nты где"] and chat.texts[0][1] == 3,
        rules=Rules(triggers=ALL),
    ),
    "a burst of which all is taken back": Scenario(
        ("привет", "ой", Delete(1), Delete(2)),
        lambda chat, record: chat.texts == [] and record.history == (),
        rules=Rules(triggers=ALL),
    ),
    "a burst while the chat is busy, and a sign": Scenario(
        ("Тимоха, раз", "два", "три"),
        lambda chat, record: chat.texts == [("ответ на раз", 1), ("ответ на два\nтри", 3)] and len(record.history) == 4,
        rules=Rules(triggers=ALL, thinking="reaction"),
    ),
    "an owner who writes during a delay": Scenario(
        ("привет", "ты где?"),
        lambda chat, record: chat.texts == [("сам отвечу", None)] and record.history == (),
        rules=Rules(triggers=ALL, delay=Delay.parse("5")),
        owner="сам отвечу",
    ),
    "the last answer of the day, to a burst after a delay": Scenario(
        ("привет", "ты где?"),
        lambda chat, record: chat.replies == ["ответ на привет\nты где?"] and record.rate.today == 1,
        rules=Rules(triggers=ALL, max_answers_per_day=1, max_answers_per_day_for_all=1, delay=Delay.parse("5-9")),
    ),
    "a deletion while a burst is collected": Scenario(
        ("привет", "/delete_history"),
        lambda chat, record: (
            chat.replies == [phrases.deleted("ru", cancelled=True)] and record.history == () and chat.thoughts == 0
        ),
        rules=Rules(triggers=ALL),
    ),
    "commands": Scenario(
        ("/set_context_length 7", "/help"),
        lambda chat, record: len(chat.replies) == 2 and record.settings.context_length == 7,
    ),
    "a deletion while a question is being answered": Scenario(
        ("Тимоха, раз", "/delete_history"),
        lambda chat, record: (
            chat.replies[-1] in {phrases.deleted("ru", cancelled=True), phrases.deleted("ru", cancelled=False)}
            and len(chat.replies) <= 2
            and record.history == ()
        ),
        answer=lambda text: "",
    ),
}
