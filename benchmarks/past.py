"""What the owner's past as memory gives: recall@1 of the true reply among ten, with and without it.

`make bench PART=past`. The chats are committed: the talks of the voice, as `timokha train memory` reads them, and
three plays, in which each two characters who talk are owner and contact. The last exchanges of each chat are held out;
those before them are the memory. The model is the default one without its voice, whose near examples are the talks.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from benchmarks.helpers import ROOT
from benchmarks.progress import tell
from edge.userbot.memory import COUNT
from events.exchanges import MAX_TEXT, ExchangeFile, write_exchanges
from events.runtime.clock import SystemClock
from events.schema import Exchange
from functions.generate.engines.transformers.checkpoints import fastest_dtype
from training.evaluation.comparison import share_interval
from training.evaluation.scoring import Scorer, recall_ranks
from training.examples import Example
from training.memory import remember
from training.settings import FitSettings, MemorySettings
from training.voice.talks import read_talks
from training.voice.telegram import write_export
from training.weights import load_base_model

PLAYS = ROOT / "tests/training/fixtures/rusdracor.json"
HELD_OUT, SHORTEST = 0.2, 10
"""The share of a chat's exchanges that is held out, and exchanges of a chat that is used."""
SAMPLES, LONGEST = 60, 150
"""Held-out exchanges of each kind of chat, and the most characters of their questions and answers."""
SEED = 0

Chats = Mapping[int, Sequence[Exchange]]
"""By contact, oldest first."""


def measure() -> dict[str, Any]:
    tell("loading the model")
    settings = FitSettings.read(data=".", out=".")
    checkpoint = load_base_model(settings, Console(stderr=True))
    checkpoint.model.to(dtype=fastest_dtype())
    scorer = Scorer(checkpoint, clock=SystemClock())
    found = {}
    with TemporaryDirectory() as place:
        for kind, chats in (("talks", _talks(Path(place))), ("plays", _plays())):
            found[kind] = _measure_chats(scorer, chats, Path(place) / f"{kind}.sqlite", kind)
    return found


def _talks(place: Path) -> Chats:
    export = write_export(read_talks(), place)
    return remember(MemorySettings.read(export=export, to=place / "talks.sqlite"), console=Console(quiet=True))


def _plays() -> Chats:
    """Return what each character answered each other one."""
    found = defaultdict[str, list[Exchange]](list)
    for chat in json.loads(PLAYS.read_text(encoding="utf-8"))["chats"]["list"]:
        said = [message for message in chat["messages"] if isinstance(message["text"], str)]
        for one, other in pairwise(said):
            if one["from_id"] != other["from_id"]:
                pair = f"{one['from_id']} {other['from_id']}"
                found[pair].append(Exchange(question=one["text"], answer=other["text"]))
    return dict(enumerate(found.values(), 1))


def _measure_chats(scorer: Scorer, chats: Chats, file: Path, kind: str) -> dict[str, Any]:
    past, asked = _split(chats)
    write_exchanges(file, [1], past)
    with closing(ExchangeFile.open(file)) as memory:
        recalled = [memory.most_alike(contact, one.question, COUNT) for contact, one in asked]
    others = [one.answer for _, one in asked]
    found: dict[str, Any] = {"exchanges": len(asked), "remembered": round(sum(map(bool, recalled)) / len(asked), 3)}
    for name, shown in (("without", [[] for _ in asked]), ("with", recalled)):
        tell(f"{kind}, {name} memory")
        examples = [_example(earlier, one) for earlier, (_, one) in zip(shown, asked, strict=True)]
        hits = sum(rank == 1 for rank in recall_ranks(scorer, examples, others, SEED))
        low, high = share_interval(hits, len(asked))
        found |= {f"recall_at_1_{name}": round(hits / len(asked), 3), f"range_{name}": f"{low:.2f} to {high:.2f}"}
    gain = found["recall_at_1_with"] - found["recall_at_1_without"]
    return {**found, "recall_at_1_gain": round(gain, 3)}


def _split(chats: Chats) -> tuple[Chats, list[tuple[int, Exchange]]]:
    """Return what is remembered, and a sample of the held-out exchanges with their contacts."""
    past, held_out = {}, []
    for contact, exchanges in chats.items():
        short = [one for one in exchanges if len(one.question) <= MAX_TEXT and len(one.answer) <= MAX_TEXT]
        if len(short) >= SHORTEST:
            kept = len(short) - round(HELD_OUT * len(short))
            past[contact] = short[:kept]
            held_out += [(contact, one) for one in short[kept:] if max(len(one.question), len(one.answer)) <= LONGEST]
    return past, Random(SEED).sample(held_out, min(SAMPLES, len(held_out)))  # noqa: S311 -- can be repeated, no secret


def _example(earlier: Sequence[Exchange], one: Exchange) -> Example:
    turns = tuple(turn for exchange in (*earlier, one) for turn in exchange.turns)
    return Example(turns, tuple(() for _ in turns))
