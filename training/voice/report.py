"""Report on the talks: their number, their variety, and lines that are templates.

A skeleton is a line without case and punctuation, with numbers and names masked. A name is a capitalised word that does
not begin a sentence, or one of `_NAMES`; several in a row count as one. One or two words are not a template.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from training.voice.talks import LANGUAGES, Talk

MOST = 3
"""Lines of the corpus that may share a skeleton."""
SHORT = 2
"""Words of a line that may occur any number of times."""
_SIZE = 4
_SHOWN = 5
"""Places of a template that are shown."""
_WORD = re.compile(r"\w+(?:[-'’]\w+)*")
_ENDS = re.compile(r"[.!?…:]")
_NUMBER, _NAME = "0", "*"
_NAMES = frozenset(
    re.findall(
        r"\w+",
        "маша саша аня оля катя лена дима вова петя коля ваня миша сережа андрей наташа таня юля ира настя вика паша "
        "игорь олег антон рома женя леша света марина алина даша ксюша кирилл максим денис никита "
        "anna kate mike john tom sam alex lucy ben emma jack",
    )
)


def report_lines(talks: Sequence[Talk]) -> list[str]:
    counted = (line for language in LANGUAGES for line in _counted(language, talks))
    return [*counted, *_templates(talks)]


def _counted(language: str, talks: Sequence[Talk]) -> list[str]:
    exchanges = [exchange for talk in talks if talk.language == language for exchange in talk.exchanges]
    number = sum(talk.language == language for talk in talks)
    words = sum(len(exchange.answer.split()) for exchange in exchanges)
    answers = distinct_4gram_share(exchange.answer for exchange in exchanges)
    both = distinct_4gram_share(text for exchange in exchanges for text in (exchange.question, exchange.answer))
    return [
        f"{language}: {number} talks, {len(exchanges)} exchanges, {words / max(len(exchanges), 1):.1f} words an answer;"
        f" distinct 4-grams: {both:.1%}, of the answers {answers:.1%}"
    ]


def _templates(talks: Sequence[Talk]) -> list[str]:
    found = [(kind, key, places) for kind, keys in find_templates(talks).items() for key, places in keys.items()]
    said = [
        f"{len(places)} {kind} are «{key}»: {', '.join(places[:_SHOWN])}{', …' if len(places) > _SHOWN else ''}"
        for kind, key, places in found
    ]
    return said or ["no skeleton stands more than three times"]


def find_templates(talks: Iterable[Talk]) -> dict[str, dict[str, list[str]]]:
    """Return the skeletons of `questions` and `answers` that occur more than `MOST` times, the most common first."""
    found: dict[str, dict[str, list[str]]] = {"questions": defaultdict(list), "answers": defaultdict(list)}
    for talk in talks:
        for number, exchange in enumerate(talk.exchanges, 1):
            for kind, text in (("questions", exchange.question), ("answers", exchange.answer)):
                if (key := skeleton(text)).count(" ") >= SHORT:
                    found[kind][key].append(f"{talk.place} ({number})")
    return {
        kind: dict(sorted(((key, at) for key, at in places.items() if len(at) > MOST), key=lambda item: -len(item[1])))
        for kind, places in found.items()
    }


def skeleton(text: str) -> str:
    """Return `text` with numbers and names masked."""
    return " ".join(_masked(text))


def _masked(text: str) -> Iterator[str]:
    end = 0
    begins, after_name = True, False
    for found in _WORD.finditer(text):
        word, before = found[0], text[end : found.start()]
        begins = begins or bool(_ENDS.search(before))
        plain = word.casefold().replace("ё", "е")
        is_name = plain in _NAMES or (word[0].isupper() and not begins)
        if plain[0].isdigit():
            yield _NUMBER
        elif not is_name:
            yield plain
        elif not (after_name and before.isspace()):
            yield _NAME
        begins, end, after_name = False, found.end(), is_name


def distinct_4gram_share(lines: Iterable[str]) -> float:
    """Return the share of different sequences of four words in `lines`; 0 if there are none."""
    seen = [gram for line in lines for gram in _grams(line)]
    return len(set(seen)) / len(seen) if seen else 0.0


def _grams(line: str) -> Iterator[tuple[str, ...]]:
    words = [word.casefold() for word in _WORD.findall(line)]
    return zip(*(words[start:] for start in range(_SIZE)), strict=False)
