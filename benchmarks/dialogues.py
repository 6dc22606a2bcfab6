"""Dialogues that nothing was trained on or tuned by: `texts/`, one message a line, a blank line between dialogues.

The plays are Chekhov's "On the High Road" and "The Wedding" from the Russian Drama Corpus (CC0); the chats
in English, in Ukrainian and with emoji were written for this.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

TEXTS = Path(__file__).parent / "texts"
OTHERS = 9
"""Wrong replies beside the right one."""
_APART = 7
"""Messages between one wrong reply and the next: neighbours talk of the same."""


@dataclass(frozen=True, slots=True)
class Question:
    said: str
    replies: tuple[str, ...]
    """The right one first."""


def kinds(*more: Path) -> dict[str, list[list[str]]]:
    """The messages of each dialogue, by the name of the file; `more` files may lie anywhere."""
    files = [*sorted(TEXTS.glob("*.txt")), *more]
    return {file.stem: _dialogues(file.read_text(encoding="utf-8")) for file in files}


def halves(dialogues: list[list[str]], size: int) -> list[tuple[str, str]]:
    """What was said before, and what is scored, of about `size` bytes of text each."""
    made, messages, length = [], list[str](), 0
    for message in (message for dialogue in dialogues for message in dialogue):
        messages.append(message)
        length += len(message.encode())
        if length >= 2 * size:
            middle = len(messages) // 2
            made.append(("\n".join(messages[:middle]) + "\n", "\n".join(messages[middle:]) + "\n"))
            messages, length = [], 0
    return made


def questions(dialogues: list[list[str]], number: int) -> list[Question]:
    """Up to `number`, from all over the dialogues."""
    pairs = [pair for dialogue in dialogues for pair in pairwise(dialogue)]
    step = max(1, len(pairs) // number)
    return [_question(pairs, place) for place in range(0, len(pairs), step)][:number]


def _question(pairs: list[tuple[str, str]], place: int) -> Question:
    said, right = pairs[place]
    wrong = [pairs[(place + _APART * other) % len(pairs)][1] for other in range(1, len(pairs))]
    return Question(said, (right, *[reply for reply in dict.fromkeys(wrong) if reply != right][:OTHERS]))


def _dialogues(text: str) -> list[list[str]]:
    return [lines for part in text.split("\n\n") if (lines := part.strip().splitlines())]
