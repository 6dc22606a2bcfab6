"""Read prepared dialogues as the turns that a prompt format takes."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from events.errors import SettingsError
from events.schema import Role, Turn
from functions.generate.decoding.thoughts import without_thoughts
from training.data.splits import Part


@dataclass(frozen=True, slots=True)
class Example:
    """A dialogue; `turns` oldest first, the last one is the owner's answer.

    `rows`: for each turn, the numbers of the messages that it is made of.
    """

    turns: tuple[Turn, ...]
    rows: tuple[tuple[int, ...], ...]

    @property
    def context(self) -> tuple[Turn, ...]:
        return self.turns[:-1]

    @property
    def answer(self) -> str:
        return self.turns[-1].text

    @property
    def answered(self) -> Iterator[int]:
        """Yield the messages from the first turn of somebody else on."""
        first = next((place for place, turn in enumerate(self.turns) if turn.role is Role.USER), len(self.turns))
        return chain.from_iterable(self.rows[first:])

    def messages(self, turns: Collection[int]) -> Iterator[int]:
        """Yield the messages that the turns at these positions are made of."""
        return chain.from_iterable(self.rows[turn] for turn in turns)

    def latest(self, count: int) -> "Example":
        """Return the last `count` turns, at least one."""
        return Example(self.turns[-count:], self.rows[-count:])


def read_examples(directory: Path, part: Part, *, named: bool = True) -> list[Example]:
    """Return the dialogues of one part, oldest first, without thoughts, as an owner's answer may come from this bot.

    `named`: if several people speak to the owner, their turns begin with their names.

    Raises SettingsError, one line, if they can't be read.
    """
    file = directory / f"{part}.jsonl"
    try:
        with file.open(encoding="utf-8") as lines:  # `splitlines` would cut a text at U+2028
            found = [_example(json.loads(line), named) for line in lines]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"TRAINING_DATA: {file} can't be read ({error}): run timokha train prepare") from None
    return [example for example in found if example.turns and example.turns[-1].role is Role.ASSISTANT]


def _example(line: dict[str, Any], named: bool) -> Example:
    messages = line["messages"]
    several = named and len({message["name"] for message in messages if "name" in message}) > 1
    rows = map(tuple, line["rows"])
    kept = [
        (turn, row)
        for message, row in zip(messages, rows, strict=True)
        for turn in without_thoughts([_turn(message, named=several)])
    ]
    return Example(tuple(turn for turn, _ in kept), tuple(row for _, row in kept))


def _turn(message: dict[str, str], *, named: bool) -> Turn:
    """Return a turn; `named`: with the speaker's name in front."""
    name = f"{message['name']}: " if named and "name" in message else ""
    return Turn(role=Role(message["role"]), text=name + message["content"])


def cover_answers(
    examples: Sequence[Example],
    cut: Callable[[Example], Example],
    learned: Callable[[Example], Iterable[int]] = lambda example: example.answered,
    tick: Callable[[], object] = lambda: None,
) -> list[Example]:
    """Return few `examples`, each `cut`, that contain each answer about once; the longest contexts are chosen first.

    The loss is on all of the owner's turns of an example, and a dialogue repeats those before it: training on every
    dialogue would repeat each answer about four times, each time with a shorter context. `learned`: returns the
    messages whose answers an example has a loss on. `tick` is called for each example; it may raise to end the work.
    """
    shown: set[int] = set()
    chosen: list[Example] = []
    for example in reversed(examples):
        tick()
        if example.rows[-1][-1] not in shown:
            chosen.append(cut(example))
            shown.update(learned(chosen[-1]))
    return chosen[::-1]
