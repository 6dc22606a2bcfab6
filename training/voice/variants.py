"""Rephrase questions to learn, so that the model learns to use the answer to a similar question.

The corpus has no answer twice. With near examples beside unchanged questions, the model would learn that no example
ever has the right answer.
"""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

from training.data.splits import Part

SHARE = 0.9
"""Of the questions that are rephrased; the others are learned without an example of their own."""
_MOST = 3
"""Changes of a question, at most."""
_BEFORE = {
    "ru": ("а", "ну", "слушай,", "скажи,", "подскажи,", "вот", "тимоха,", "интересно,", "кстати,", "и"),
    "en": ("so", "hey,", "tell me,", "well,", "and", "btw", "please,", "timokha,"),
}
_AFTER = {"ru": ("пожалуйста", "а", "тогда", "как думаешь", "вообще"), "en": ("please", "then", "though", "you think")}
_FEW_WORDS, _SHORT_WORD = 3, 4


def vary_questions(data: Path, *, seed: int = 0) -> int:
    """Rephrase questions in `data` in place, except for the final test; return their number.

    Raises OSError, ValueError.
    """
    random = Random(seed)  # noqa: S311 -- no secret
    return sum(_vary_file(data / f"{part}.jsonl", random) for part in (Part.TRAIN, Part.VALIDATION))


def _vary_file(file: Path, random: Random) -> int:
    with file.open(encoding="utf-8") as lines:
        dialogues = [json.loads(line) for line in lines]
    chosen = [dialogue for dialogue in dialogues if random.random() < SHARE]
    for dialogue in chosen:
        question = dialogue["messages"][-2]
        question["content"] = variant(question["content"], random)
    file.write_text("".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in dialogues), encoding="utf-8")
    return len(chosen)


def variant(question: str, random: Random) -> str:
    """Return `question` with some words or letters changed, never empty."""
    for change in random.sample(_CHANGES, random.randint(1, _MOST)):
        question = change(question, random).strip() or question
    return question


def _change_punctuation(question: str, random: Random) -> str:
    ways: tuple[Callable[[str], str], ...] = (
        str.lower,
        lambda text: text[:1].upper() + text[1:],
        lambda text: text.rstrip("?!. "),
        lambda text: text.rstrip("?!. ") + random.choice("?!."),
        lambda text: text.replace(",", ""),
    )
    return random.choice(ways)(question)


def _add_typo(question: str, random: Random) -> str:
    places = [n for n in range(1, len(question) - 1) if question[n - 1 : n + 2].isalpha()]
    if not places:
        return question
    at = random.choice(places)
    one, two = question[at], question[at + 1]
    return question[:at] + random.choice((two + one, one, two, one + one + two)) + question[at + 2 :]


def _drop_word(question: str, random: Random) -> str:
    """Drop a word, but not the longest one."""
    words = question.split()
    if len(words) < _FEW_WORDS:
        return question
    longest = max(range(len(words)), key=lambda n: len(words[n]))
    left_out = random.choice([n for n in range(len(words)) if n != longest])
    return " ".join(words[:left_out] + words[left_out + 1 :])


def _swap_words(question: str, random: Random) -> str:
    words = question.split()
    if len(words) < _FEW_WORDS:
        return question
    at = random.randrange(len(words) - 1)
    words[at], words[at + 1] = words[at + 1], words[at]
    return " ".join(words)


def _change_ending(question: str, random: Random) -> str:
    """Change the ending of a word at random."""
    words = question.split()
    long = [n for n, word in enumerate(words) if word.isalpha() and len(word) > _SHORT_WORD]
    if not long:
        return question
    at = random.choice(long)
    ends = "аяыиуюеой" if not words[at].isascii() else "sedy"
    words[at] = words[at][: -random.randint(1, 2)] + random.choice(ends)
    return " ".join(words)


def _add_words(question: str, random: Random) -> str:
    language = "en" if question.isascii() else "ru"
    before, after = random.choice(_BEFORE[language]), random.choice(_AFTER[language])
    return f"{before} {question}" if random.randrange(4) else f"{question.rstrip('?!. ')} {after}"


_CHANGES = (_change_punctuation, _add_typo, _drop_word, _swap_words, _change_ending, _add_words)
