"""The texts of drafts and of the lines that answer the owner's decisions, in Russian and English.

Every text begins with a word of ours: in the owner's chat a message that starts with `/` is a command.
"""

from dataclasses import dataclass

from edge.userbot.phrases import language


@dataclass(frozen=True, slots=True)
class _Phrases:
    draft: str
    failed: str
    more: str
    how: str
    sent: str
    replaced: str
    rejected: str
    over: str
    unclear: str
    send_label: str
    drop_label: str


_RUSSIAN = _Phrases(
    draft="Черновик ответа. Спрашивает {asker}: «{question}»",
    failed="Черновик: модель не ответила. Спрашивает {asker}: «{question}»",
    more="Черновик, часть {number} из {total}",
    how="Ответьте на это сообщение: + — отправить, - — не отправлять, другой текст — отправить его.",
    sent="Отправляю. Ответ получит {asker}.",
    replaced="Отправляю ваш текст. Его получит {asker}.",
    rejected="Не отправляю. {asker} не получит ответа.",
    over="Уже решено: этот черновик больше не ждёт.",
    unclear="Не понял. Ответьте на черновик: + — отправить, - — не отправлять, другой текст без / в начале — отправить"
    " его.",
    send_label="Отправить",
    drop_label="Не отправлять",
)

_ENGLISH = _Phrases(
    draft="Draft of an answer. {asker} asks: “{question}”",
    failed="Draft: the model gave no answer. {asker} asks: “{question}”",
    more="Draft, part {number} of {total}",
    how="Reply to this message: + to send it, - to send nothing, any other text to send that instead.",
    sent="Sending it. {asker} gets the answer.",
    replaced="Sending your text. {asker} gets it.",
    rejected="Not sending it. {asker} gets no answer.",
    over="Already decided: this draft no longer waits.",
    unclear="That is no decision. Reply to the draft: + to send it, - to send nothing, any other text without a leading"
    " / to send that instead.",
    send_label="Send",
    drop_label="Don't send",
)

_LANGUAGES = {"ru": _RUSSIAN, "en": _ENGLISH}


def draft_head(locale: str, *, asker: str, question: str, failed: bool) -> str:
    """Return who asks what, the first line of a draft. `failed`: there is no answer, only the line that says so."""
    phrases = _phrases(locale)
    return (phrases.failed if failed else phrases.draft).format(asker=asker, question=question)


def draft_more(locale: str, number: int, total: int) -> str:
    """Return the first line of a draft's message `number`, above 1, of `total`."""
    return _phrases(locale).more.format(number=number, total=total)


def how_to_decide(locale: str) -> str:
    """Return the last line of a draft."""
    return _phrases(locale).how


def send_label(locale: str) -> str:
    """Return what the button says that approves a draft."""
    return _phrases(locale).send_label


def drop_label(locale: str) -> str:
    """Return what the button says that rejects a draft."""
    return _phrases(locale).drop_label


def sent(locale: str, asker: str) -> str:
    return _phrases(locale).sent.format(asker=asker)


def replaced(locale: str, asker: str) -> str:
    """Return that the owner's text is sent in place of the draft."""
    return _phrases(locale).replaced.format(asker=asker)


def rejected(locale: str, asker: str) -> str:
    return _phrases(locale).rejected.format(asker=asker)


def over(locale: str) -> str:
    """Return that the draft no longer waits for a decision."""
    return _phrases(locale).over


def unclear(locale: str) -> str:
    """Return how to decide, after a reply that is no decision."""
    return _phrases(locale).unclear


def _phrases(locale: str) -> _Phrases:
    return _LANGUAGES[language(locale)]
