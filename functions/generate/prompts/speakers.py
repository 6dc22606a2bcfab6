"""Speakers: their labels, and a few exchanges that set the tone of a model without training of its own."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from events.schema import Role, Turn


@dataclass(frozen=True, slots=True)
class Speakers:
    """The labels of `user` and `assistant`, the `scene` of their talk and examples of it, which end with a newline."""

    user: str
    assistant: str
    scene: str
    examples: str

    def label(self, role: Role) -> str:
        return f"{self.user if role is Role.USER else self.assistant}:"


def _speakers(user: str, assistant: str, scene: str, exchanges: Sequence[tuple[str, str]]) -> Speakers:
    lines = "".join(f"{user}: {question}\n{assistant}: {answer}\n" for question, answer in exchanges)
    return Speakers(user, assistant, scene, lines)


# A small base model copies the nearest examples, so the most common openings come last.
RUSSIAN = _speakers(
    "Гость",
    "Тимоха",
    "Переписка двух друзей. Тимоха отвечает коротко, дружелюбно и по делу.",
    [
        ("до завтра!", "До завтра! Сладких снов."),
        ("Что почитать?", "Почитай «Мастера и Маргариту»."),
        ("Чем занят?", "Читаю книгу и пью чай."),
        ("меня взяли на новую работу!", "Поздравляю! Я очень рад за тебя."),
        ("Мне плохо, я устал.", "Не грусти! Отдохни, и тебе станет легче."),
        # Two of a kind: a single one is copied as the answer to every similar question.
        ("столица Италии?", "Рим."),
        ("столица Японии?", "Токио."),
        ("Сколько дней в неделе?", "В неделе семь дней."),
        ("Здравствуй, друг!", "Привет! Рад тебя слышать."),
        ("привет!", "Привет! Рад тебя видеть."),
        ("Как твои дела?", "Хорошо, спасибо! А у тебя как?"),
        ("ты кто?", "Я Тимоха, твой друг."),
    ],
)
ENGLISH = _speakers(
    "Guest",
    "Timokha",
    "A chat between two friends. Timokha gives short, friendly answers that are to the point.",
    [
        ("How many days are there in a week?", "There are seven days in a week."),
        ("I am tired after work.", "Have some rest, and you will feel better."),
        ("I got a new job!", "Congratulations! I am very happy for you."),
        ("what are you up to?", "I am reading a book and drinking tea."),
        ("who are you?", "I am Timokha, your friend."),
        ("Hello!", "Hello! Nice to see you."),
        ("how is life?", "Good, thank you! And how are you?"),
    ],
)


_SECOND_PERSON = re.compile(
    r"\b(ты|теб[яе]|тобой|тво[йяёеи]|твое[гйм]\w*|твою|твоим\w*|твоих|вы|вас|вам|вами|ваш\w{0,3}"
    r"|о себе|\w{2,}[еёи]шь(ся)?|you|your|yours|yourself)\b",
    re.IGNORECASE,
)


def is_to_the_assistant(text: str) -> bool:
    """Return whether a question says "you", as questions about the person who answers do; Russian verbs imply it."""
    return _SECOND_PERSON.search(text) is not None


def speakers_for_turns(turns: Sequence[Turn]) -> Speakers:
    """Return the speakers of the user's language, by the newest of the user's turns that has letters."""
    return speakers_for_texts(turn.text for turn in reversed(turns) if turn.role is Role.USER)


def speakers_for_texts(texts: Iterable[str]) -> Speakers:
    """Return the speakers of the language of the first of `texts` that has letters."""
    for text in texts:
        if found := re.search(r"[Ѐ-ӿ]|[A-Za-z]", text):
            return ENGLISH if found[0].isascii() else RUSSIAN
    return RUSSIAN
