"""`python -m benchmarks.styles EXPORT`: how often a person is told from ten others by style, by the length of the text.

Half of the chats of the export say what is counted; the speakers of the others are told apart. docs/training.md has the
table for rusdracor's characters.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.style import CountedTexts, SpokenTurns, StyleFeature, normalize_for_style, style_features

_LETTERS = (250, 500, 1000, 2000, 4000)
_SPEAKS = 12_000
"""Letters of a speaker who is taken."""
_OTHERS = 10
_TIMES = 5


def main() -> None:
    """Write a line for each length: how often the person is the nearest of eleven, and nearer than another."""
    chats = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["chats"]["list"]
    learned, people = _speakers(chats[::2]), _speakers(chats[1::2])
    names = sorted(learned)
    counted = style_features(
        SpokenTurns(*([text for name in names[start::2] for text in learned[name]] for start in (0, 1)))
    )
    bodies = [CountedTexts(texts, counted.values()) for _, texts in sorted(people.items())]
    for letters in _LETTERS:
        places = np.array(
            [place for person in range(len(bodies)) for place in _places(bodies, person, letters, counted)]
        )
        first, nearer = (places == 0).mean(), 1 - places.mean() / _OTHERS
        sys.stdout.write(f"{letters} letters, {len(bodies)} people: first {first:.2f}, nearer {nearer:.2f}\n")


def _speakers(chats: list[dict[str, Any]]) -> dict[str, list[str]]:
    said: defaultdict[str, list[str]] = defaultdict(list)
    for message in (message for chat in chats for message in chat["messages"]):
        if isinstance(message["text"], str) and (text := normalize_for_style(message["text"])):
            said[message["from_id"]].append(text)
    return {name: texts for name, texts in said.items() if sum(map(len, texts)) >= _SPEAKS}


def _places(
    bodies: list[CountedTexts], person: int, letters: int, counted: dict[str, StyleFeature]
) -> NDArray[np.int64]:
    """How many of ten others are nearer to the person's other turns than a draw of the person's own, for each draw."""
    rng = np.random.default_rng(person)
    others = Random(person).sample([place for place in range(len(bodies)) if place != person], _OTHERS)  # noqa: S311 -- no secret
    ours, reference = bodies[person].cut(letters, _TIMES, rng)
    cuts = [bodies[other].cut(letters, _TIMES, rng) for other in others]
    centre = [np.sum([left[kind] for _, left in cuts], axis=0) for kind in range(len(counted))]
    own, *theirs = (
        np.sum(
            [feature.distance(*at) for feature, *at in zip(counted.values(), drawn, reference, centre, strict=True)],
            axis=0,
        )
        for drawn in (ours, *(drawn for drawn, _ in cuts))
    )
    return np.asarray(np.sum([other <= own for other in theirs], axis=0))


if __name__ == "__main__":
    main()
