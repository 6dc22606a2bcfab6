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
    """A dialogue. `turns`: oldest first; the last one is the owner's answer.

    `rows`: the numbers of the messages of each turn.
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
    def messages_from_question(self) -> Iterator[int]:
        """Yield the messages from the first turn of another speaker on."""
        first = next((place for place, turn in enumerate(self.turns) if turn.role is Role.USER), len(self.turns))
        return chain.from_iterable(self.rows[first:])

    def messages_of(self, turns: Collection[int]) -> Iterator[int]:
        """Yield the messages of the turns at these positions."""
        return chain.from_iterable(self.rows[turn] for turn in turns)

    def last_turns(self, count: int) -> "Example":
        """Return the example with its last `count` turns, at least one."""
        return Example(self.turns[-count:], self.rows[-count:])


def read_examples(directory: Path, part: Part, *, named: bool = True) -> list[Example]:
    """Return the dialogues of one part, oldest first, without thoughts, which this bot may have written for the owner.

    `named`: if several people speak to the owner, begin their turns with their names.

    Raises SettingsError, one line, if the dialogues can't be read.
    """
    file = directory / f"{part}.jsonl"
    try:
        with file.open(encoding="utf-8") as lines:  # `splitlines` would split at U+2028
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
    """Return the message as a turn; `named`: with the speaker's name in front."""
    name = f"{message['name']}: " if named and "name" in message else ""
    return Turn(role=Role(message["role"]), text=name + message["content"])


def cover_answers(
    examples: Sequence[Example],
    cut: Callable[[Example], Example],
    learned: Callable[[Example], Iterable[int]] = lambda example: example.messages_from_question,
    tick: Callable[[], object] = lambda: None,
) -> list[Example]:
    """Choose few `examples` that together contain each answer about once, longest contexts first; `cut` each.

    The loss is on all of the owner's turns of an example, and a dialogue repeats earlier ones: training on every
    dialogue would repeat each answer about four times, each time with a shorter context. `learned`: returns the
    messages on which an example has a loss. `tick`: called for each example; may raise to stop.
    """
    shown: set[int] = set()
    chosen: list[Example] = []
    for example in reversed(examples):
        tick()
        if example.rows[-1][-1] not in shown:
            chosen.append(cut(example))
            shown.update(learned(chosen[-1]))
    return chosen[::-1]
