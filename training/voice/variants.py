"""Questions as others would have put them: a model learns to take up the answer to a question that is only alike.

The corpus has no answer twice. A model that saw near examples beside the questions as they are would learn that what is
shown is never what is wanted.
"""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

from training.data.splits import Part

SHARE = 0.9
"""Of the questions that are put otherwise: the rest are learned without an example of their own."""
_MOST = 3
"""Changes of one question."""
_BEFORE = {
    "ru": ("а", "ну", "слушай,", "скажи,", "подскажи,", "вот", "тимоха,", "интересно,", "кстати,", "и"),
    "en": ("so", "hey,", "tell me,", "well,", "and", "btw", "please,", "timokha,"),
}
_AFTER = {"ru": ("пожалуйста", "а", "тогда", "как думаешь", "вообще"), "en": ("please", "then", "though", "you think")}
_FEW_WORDS, _SHORT_WORD = 3, 4


def vary(data: Path, *, seed: int = 0) -> int:
    """Put questions in `data` otherwise, in place, but for the final test's; return how many.

    Raises OSError, ValueError.
    """
    random = Random(seed)  # noqa: S311 -- no secret
    return sum(_vary(data / f"{part}.jsonl", random) for part in (Part.TRAIN, Part.VALIDATION))


def _vary(file: Path, random: Random) -> int:
    with file.open(encoding="utf-8") as lines:
        dialogues = [json.loads(line) for line in lines]
    chosen = [dialogue for dialogue in dialogues if random.random() < SHARE]
    for dialogue in chosen:
        question = dialogue["messages"][-2]
        question["content"] = variant(question["content"], random)
    file.write_text("".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in dialogues), encoding="utf-8")
    return len(chosen)


def variant(question: str, random: Random) -> str:
    """Return `question` in other words or letters, never empty."""
    for change in random.sample(_CHANGES, random.randint(1, _MOST)):
        question = change(question, random).strip() or question
    return question


def _written_otherwise(question: str, random: Random) -> str:
    ways: tuple[Callable[[str], str], ...] = (
        str.lower,
        lambda text: text[:1].upper() + text[1:],
        lambda text: text.rstrip("?!. "),
        lambda text: text.rstrip("?!. ") + random.choice("?!."),
        lambda text: text.replace(",", ""),
    )
    return random.choice(ways)(question)


def _mistyped(question: str, random: Random) -> str:
    places = [n for n in range(1, len(question) - 1) if question[n - 1 : n + 2].isalpha()]
    if not places:
        return question
    at = random.choice(places)
    one, two = question[at], question[at + 1]
    return question[:at] + random.choice((two + one, one, two, one + one + two)) + question[at + 2 :]


def _shorter(question: str, random: Random) -> str:
    """Without one of its words, but the longest."""
    words = question.split()
    if len(words) < _FEW_WORDS:
        return question
    longest = max(range(len(words)), key=lambda n: len(words[n]))
    left_out = random.choice([n for n in range(len(words)) if n != longest])
    return " ".join(words[:left_out] + words[left_out + 1 :])


def _turned(question: str, random: Random) -> str:
    words = question.split()
    if len(words) < _FEW_WORDS:
        return question
    at = random.randrange(len(words) - 1)
    words[at], words[at + 1] = words[at + 1], words[at]
    return " ".join(words)


def _ended_otherwise(question: str, random: Random) -> str:
    """One of its words in another form, as far as that can be had without a grammar."""
    words = question.split()
    long = [n for n, word in enumerate(words) if word.isalpha() and len(word) > _SHORT_WORD]
    if not long:
        return question
    at = random.choice(long)
    ends = "аяыиуюеой" if not words[at].isascii() else "sedy"
    words[at] = words[at][: -random.randint(1, 2)] + random.choice(ends)
    return " ".join(words)


def _with_more(question: str, random: Random) -> str:
    language = "en" if question.isascii() else "ru"
    before, after = random.choice(_BEFORE[language]), random.choice(_AFTER[language])
    return f"{before} {question}" if random.randrange(4) else f"{question.rstrip('?!. ')} {after}"


_CHANGES = (_written_otherwise, _mistyped, _shorter, _turned, _ended_otherwise, _with_more)
