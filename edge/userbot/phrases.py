"""The bot's own texts, in Russian and English.

No text starts with a command or the prefix: otherwise two bots could keep answering each other.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from edge.userbot.chat.commands import MAX_CONTEXT_LENGTH
from edge.userbot.rules import DEFAULTS
from events.schema import FailureReason

DEFAULT_LANGUAGE = DEFAULTS.locale
DEADLINE = "deadline"
"""The userbot's own reasons for a failure, besides `FailureReason`: no answer came in time,"""
INTERNAL = "internal"
"""an error of the userbot itself,"""
TOO_LARGE = "too_large"
"""or a question that is too large for the store."""
REFUSED_PERSON = "refused_person"
"""Why a question gets no answer by the owner's rules: of the person who asks,"""
QUIET_HOURS = "quiet_hours"
"""the time,"""
DAY_LIMIT = "day_limit"
"""or the number of answers that the day has had."""


@dataclass(frozen=True, slots=True)
class _Phrases:
    thinking: tuple[str, ...]
    help: str
    hint: str
    deleted: str
    deleted_and_cancelled: str
    context_length_set: str
    context_length_zero: str
    context_length_refused: str
    unreadable: str
    failures: dict[str, str]
    failure: str
    refusals: dict[str, str]
    flooded: str


_RUSSIAN = _Phrases(
    thinking=(
        "Думаю…",
        "Дайте подумать…",
        "Минутку, собираюсь с мыслями…",
        "Хороший вопрос! Сейчас отвечу…",
        "Хм, надо подумать…",
        "Уже пишу ответ…",
        "Секундочку…",
        "Размышляю над ответом…",
    ),
    help=(
        "Что я умею:\n\n"
        "{prefix} ВОПРОС — задать мне вопрос\n"
        "/set_context_length ЧИСЛО — сколько прошлых сообщений учитывать в ответе (от 0 до {most})\n"
        "/delete_history — забыть нашу переписку и отменить вопросы, которые ждут ответа\n"
        "/help — показать эту справку"
    ),
    hint="Напишите вопрос сразу после обращения, например: «{prefix} как дела?»",
    deleted="Готово: история нашей переписки удалена.",
    deleted_and_cancelled=(
        "Готово: история нашей переписки удалена, а вопрос, который ждал ответа, отменён. Можно спрашивать заново."
    ),
    context_length_set="Готово: теперь учитываю прошлые сообщения, не больше {length}.",
    context_length_zero="Готово: теперь отвечаю на каждый вопрос без оглядки на прошлые сообщения.",
    context_length_refused=(
        "Не получилось: нужно целое число от 0 до {most}, например: /set_context_length 10. Настройка не изменилась."
    ),
    unreadable=(
        "Не могу прочитать нашу переписку, поэтому не отвечаю здесь. Напишите /delete_history, и начнём заново."
    ),
    failures={
        DEADLINE: "Не успел подготовить ответ, извините. Попробуйте спросить ещё раз.",
        FailureReason.EMPTY: "Ничего путного не придумалось, извините. Попробуйте спросить ещё раз другими словами.",
        FailureReason.REJECTED: "На такой вопрос ответить не могу, извините. Попробуйте спросить другими словами.",
        TOO_LARGE: "Такой длинный вопрос не принять, извините. Попробуйте спросить короче.",
    },
    failure="Не получилось ответить, извините. Попробуйте спросить ещё раз.",
    refusals={
        REFUSED_PERSON: "Извините, я отвечаю не всем.",
        QUIET_HOURS: "Сейчас я не отвечаю. Спросите, пожалуйста, позже.",
        DAY_LIMIT: "На сегодня ответы закончились. Спросите, пожалуйста, завтра.",
    },
    flooded=(
        "Telegram счёл этот аккаунт рассылающим спам (PEER_FLOOD), поэтому я никому не отвечаю до {until}."
        " Чтобы продолжить раньше, напишите /resume."
    ),
)

_ENGLISH = _Phrases(
    thinking=(
        "Thinking…",
        "Let me think…",
        "One moment, gathering my thoughts…",
        "Good question! Give me a second…",
        "Hmm, let me see…",
        "Writing an answer…",
        "Just a second…",
        "Pondering this…",
    ),
    help=(
        "What I can do:\n\n"
        "{prefix} QUESTION — ask me something\n"
        "/set_context_length NUMBER — how many earlier messages an answer takes into account (0 to {most})\n"
        "/delete_history — forget our conversation and cancel questions that wait for an answer\n"
        "/help — show this help"
    ),
    hint="Write your question right after my name, for example: “{prefix} how are you?”",
    deleted="Done: the history of our conversation is deleted.",
    deleted_and_cancelled=(
        "Done: the history of our conversation is deleted, and the question that was waiting for an answer"
        " is cancelled. You can ask again."
    ),
    context_length_set="Done: earlier messages that an answer takes into account: up to {length}.",
    context_length_zero="Done: every question is now answered on its own, without earlier messages.",
    context_length_refused=(
        "That did not work: send a whole number from 0 to {most}, for example: /set_context_length 10."
        " Nothing has changed."
    ),
    unreadable="I can't read our conversation, so I don't answer here. Send /delete_history to start afresh.",
    failures={
        DEADLINE: "Sorry, the answer was not ready in time. Please ask again.",
        FailureReason.EMPTY: "Sorry, nothing sensible came to mind. Please ask again, perhaps in other words.",
        FailureReason.REJECTED: "Sorry, I can't answer that question. Please ask again in other words.",
        TOO_LARGE: "Sorry, I can't take a question that long. Please ask again in fewer words.",
    },
    failure="Sorry, I could not come up with an answer. Please ask again.",
    refusals={
        REFUSED_PERSON: "Sorry, I don't answer everyone.",
        QUIET_HOURS: "I don't answer at this hour. Please ask again later.",
        DAY_LIMIT: "There are no more answers today. Please ask again tomorrow.",
    },
    flooded=(
        "Telegram takes this account for a spammer (PEER_FLOOD), so I answer nobody until {until}."
        " To go on earlier, send /resume."
    ),
)

_LANGUAGES = {"ru": _RUSSIAN, "en": _ENGLISH}


def language(locale: str, fallback: str = DEFAULT_LANGUAGE) -> str:
    """Return the language of `locale` (`en`, `en-GB`, `en_US`), or `fallback` if there are no texts in it."""
    spoken = locale.lower().replace("_", "-").partition("-")[0]
    return spoken if spoken in _LANGUAGES else fallback


def thinking(locale: str, request_id: str) -> str:
    """Return the line to show while an answer is prepared: always the same one for the same request."""
    lines = _phrases(locale).thinking
    return lines[int.from_bytes(sha256(request_id.encode()).digest()[:8], "big") % len(lines)]


def thinking_lines() -> frozenset[str]:
    """Return all lines that `thinking` chooses from."""
    return frozenset(line for language in _LANGUAGES.values() for line in language.thinking)


def help_text(locale: str, prefix: str) -> str:
    return _phrases(locale).help.format(prefix=prefix, most=MAX_CONTEXT_LENGTH)


def hint(locale: str, prefix: str) -> str:
    """Return how to ask, as a reply to the prefix alone."""
    return _phrases(locale).hint.format(prefix=prefix)


def deleted(locale: str, *, cancelled: bool) -> str:
    """Return that the history is deleted; `cancelled`: and a question without an answer is cancelled."""
    phrases = _phrases(locale)
    return phrases.deleted_and_cancelled if cancelled else phrases.deleted


def context_length_set(locale: str, length: int) -> str:
    phrases = _phrases(locale)
    return phrases.context_length_set.format(length=length) if length else phrases.context_length_zero


def context_length_refused(locale: str) -> str:
    """Return what `/set_context_length` accepts."""
    return _phrases(locale).context_length_refused.format(most=MAX_CONTEXT_LENGTH)


def unreadable(locale: str) -> str:
    """Return that the chat's record can't be read, and what to do."""
    return _phrases(locale).unreadable


def unreadable_lines() -> frozenset[str]:
    """Return all lines of `unreadable`, which no record can remember as sent."""
    return frozenset(language.unreadable for language in _LANGUAGES.values())


def failure(locale: str, reason: str) -> str:
    """Return that there is no answer. `reason`: a `FailureReason`, one of the above, or one of a later version."""
    phrases = _phrases(locale)
    return phrases.failures.get(reason, phrases.failure)


def refusal(locale: str, reason: str) -> str:
    """Return that there is no answer by the owner's rules. `reason`: one of the above."""
    return _phrases(locale).refusals[reason]


def flooded(locale: str, until: datetime) -> str:
    """Return, for the owner, that all chats are paused for a flood until `until`, in their time zone."""
    return _phrases(locale).flooded.format(until=f"{until:%Y-%m-%d %H:%M %Z}".strip())


def _phrases(locale: str) -> _Phrases:
    return _LANGUAGES[language(locale)]
