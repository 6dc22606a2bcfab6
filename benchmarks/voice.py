"""What the default model answers, with each voice that there is, for readers to mark: docs/voice.md.

Everything is asked through a real `timokha generate`, with requests as the userbot makes them, and so with the same
seeds each time; what a talk remembers are the system's own answers. It is written to build/bench/voice/LIST.

`python -m benchmarks.voice ask [--near] NAME [KEY=VALUE…]` asks one system of yours, with these settings;
`python -m benchmarks.voice sheet` makes the readers' sheet of all that were asked;
`python -m benchmarks.voice marks ONE TWO` counts what two readers say. VOICE_LIST=halfway: another list of questions.
"""

import asyncio
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from benchmarks import voice_sheet
from benchmarks.path import ACCOUNT, DEADLINE, Edge, NoAnswer, edge, functions
from benchmarks.progress import tell
from benchmarks.results import RUNS, Part, Results
from benchmarks.voice_lists import UNSEEN, Talk, read_list
from benchmarks.voice_marks import judged, read_marks, worst
from benchmarks.voice_sheet import Answered
from cli.demo.nats_server import EmbeddedServer
from edge.userbot.chat.record import ChatRecord, Current, Question
from edge.userbot.chat.request_builder import build_request
from edge.userbot.settings import UserbotSettings
from events.errors import TimokhaError
from events.ids import RequestId
from events.jetstream.connection import connect
from events.runtime.tasks import run_all
from events.schema import GenerationRequested
from functions.generate.engines.serving_file import ServingInfo
from functions.generate.models.preparing import prepare_model
from functions.generate.models.voices import find_voice
from functions.generate.settings import GenerateSettings, VoiceName
from training.voice import talks as corpus
from training.voice.talks import Exchange

if TYPE_CHECKING:
    from functions.generate.prompts.near_examples import NearExamples

HERE = Path("build/bench/voice")
RESULTS = Path("build/bench.json")
NEAR = 4
"""Examples in front of a talk with a model that has none of its own."""
_SAMPLING = UserbotSettings.model_fields["sampling"].get_default(call_default_factory=True)

Answers = dict[str, list[Answered]]
"""Of each system."""


@dataclass(frozen=True, slots=True)
class System:
    """`settings` of the worker.

    `near`: near examples of the corpus stand in front of every talk. `alone`: the voice has none of its own.
    """

    settings: dict[str, str] = field(default_factory=dict)
    near: bool = False
    alone: bool = False


def systems() -> dict[str, System]:
    """Those that this checkout has, by name."""
    base = {"GENERATE_VOICE": "none"}
    found = {"base": System(base), "near": System(base, near=True)}
    if find_voice(VoiceName.TIMOKHA):
        found |= {"trained": System(alone=True), "both": System()}
    return found


async def measure() -> dict[str, object]:
    """How many answers each system gave, and in how many seconds; the answers are in files."""
    questions, answers = chosen(), Answers()
    figures: dict[str, object] = {}
    for name, system in systems().items():
        answers[name], figures[name] = await _asked(name, system)
    voice_sheet.write(_directory(), answers)
    return {questions: figures}


def chosen() -> str:
    """The name of the list that is asked."""
    return os.environ.get("VOICE_LIST") or "test"


def _directory() -> Path:
    return HERE / chosen()


async def _asked(name: str, system: System) -> tuple[list[Answered], dict[str, object]]:
    """One system's answers, which are also written to a file, and its figures."""
    talks = read_list(chosen())
    tell(f"{name}: {sum(map(len, talks))} questions")
    near = _near() if system.near else None
    with tempfile.TemporaryDirectory(prefix="timokha-bench-") as directory:
        async with (
            EmbeddedServer(Path(directory, "nats")) as nats,
            connect(nats.url, name="bench") as js,
            edge(js) as asking,
            functions(Path(directory), nats.url, system.settings | (_alone(Path(directory)) if system.alone else {})),
        ):
            asker = Asker(asking, near)
            began = time.perf_counter()
            answers = await asker.all(talks)
            seconds = time.perf_counter() - began
    _save(name, system, answers)
    unanswered = sum(not one.last.answer for one in answers)
    return answers, {
        "answers": len(answers) - unanswered,
        "unanswered": unanswered,
        "seconds": round(seconds, 1),
        "input_tokens": statistics.median(asker.input_tokens) if asker.input_tokens else 0,
    }


def _near() -> "NearExamples":
    from functions.generate.prompts.near_examples import NearExamples  # noqa: PLC0415 -- numpy, which marks do without

    return NearExamples(map(corpus.talk_texts, corpus.read_talks()), count=NEAR)


def _alone(directory: Path) -> dict[str, str]:
    """The settings that serve the default model's voice without near examples, from a copy in `directory`."""
    settings = GenerateSettings.read()
    prepared = prepare_model(
        None,
        settings.cache,
        bits=settings.bits,
        vocabulary=settings.vocabulary,
        voice=find_voice(settings.voice),
        console=Console(stderr=True),
    )
    copy = shutil.copytree(prepared, directory / "alone")
    described = ServingInfo.read(copy)
    described.model_copy(update={"card": described.card.model_copy(update={"near": 0})}).write(copy)
    return {"GENERATE_MODEL": str(copy)}


@dataclass(slots=True)
class Asker:
    """Holds talks; notes the tokens that were read for each answer."""

    edge: Edge
    near: "NearExamples | None"
    input_tokens: list[int] = field(default_factory=list)

    async def all(self, talks: Sequence[Talk]) -> list[Answered]:
        """Talks at once, the questions of each one after the other."""
        firsts = [1 + sum(map(len, talks[:number])) for number in range(len(talks))]
        held: list[list[Answered]] = [[] for _ in talks]
        await run_all(*map(self._talk, talks, firsts, held))
        return [answered for talk in held for answered in talk]

    async def _talk(self, talk: Talk, first: int, held: list[Answered]) -> None:
        """Adds to `held`."""
        for number, question in enumerate(talk, first):
            before = tuple(answered.last for answered in held)
            answer = await self._answer(request(question, number, before))
            held.append(Answered(number, before, Exchange(question, answer)))

    async def _answer(self, asked: GenerationRequested) -> str:
        """Empty if there is none."""
        if self.near:  # in a thread: many talks begin at once, and a confirmation that is not read in time is an error
            asked = await asyncio.to_thread(with_examples, asked, self.near)
        try:
            completed = await self.edge.request(asked)
        except NoAnswer:
            return ""
        self.input_tokens.append(completed.usage.input_tokens)
        return completed.text


def with_examples(asked: GenerationRequested, near: "NearExamples") -> GenerationRequested:
    """With near examples in front of the talk: the worker reads them as its beginning, and drops them first."""
    shown = [turn for example in near.examples(asked.turns) for turn in example.turns]
    return asked.model_copy(update={"turns": (*shown, *asked.turns)})


def request(question: str, number: int, before: Sequence[Exchange]) -> GenerationRequested:
    """As the userbot asks in a chat with its default settings, where these exchanges were before."""
    now = datetime.now(UTC)
    # A failure is not remembered.
    history = tuple(turn for exchange in before if exchange.answer for turn in exchange.turns)
    current = Current(
        question=Question(message_id=number, text=question, locale="ru", asked_at=now),
        request_id=str(RequestId(ACCOUNT, f"voice-{chosen()}", str(number))),
        deadline=now + DEADLINE,
    )
    return build_request(ChatRecord(history=history), current, ACCOUNT, f"voice-{chosen()}", _SAMPLING)


def _save(name: str, system: System, answers: Sequence[Answered]) -> None:
    path = _directory() / "answers" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    written = {"system": name, **asdict(system), "answers": [asdict(one) for one in answers]}
    path.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _saved(path: Path) -> list[Answered]:
    return [
        Answered(one["number"], tuple(Exchange(**each) for each in one["before"]), Exchange(**one["last"]))
        for one in json.loads(path.read_text(encoding="utf-8"))["answers"]
    ]


@contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except TimokhaError as error:
        raise click.ClickException(str(error)) from None


@click.group()
def main() -> None:
    """Ask a system of your own, and count marks."""


@main.command()
@click.argument("name")
@click.argument("settings", nargs=-1)
@click.option("--near", is_flag=True, help="Put near examples of the corpus in front of every talk.")
def ask(name: str, settings: tuple[str, ...], near: bool) -> None:
    """Ask one system, NAME, that is served with the given settings, e.g. GENERATE_MODEL=DIRECTORY."""
    with _one_line():
        _, figures = asyncio.run(_asked(name, System(told(settings), near)))
    click.echo(f"{name}: {json.dumps(figures)}; written to {_directory()}/answers/{name}.json")


def told(settings: Sequence[str]) -> dict[str, str]:
    """KEY=VALUE, with the whole path of a file that is named: the worker starts in another directory."""
    made = {}
    for setting in settings:
        key, is_one, value = setting.partition("=")
        if not is_one:
            raise click.UsageError(f"{setting} is no setting: write KEY=VALUE")
        made[key] = str(Path(value).absolute()) if value and Path(value).exists() else value
    return made


@main.command()
def sheet() -> None:
    """Make the readers' sheet of all systems that have answers."""
    answers = {path.stem: _saved(path) for path in sorted((_directory() / "answers").glob("*.json"))}
    if not answers:
        raise click.ClickException(f"there are no answers in {_directory()}: make bench PART=voice asks for some")
    voice_sheet.write(_directory(), answers)
    click.echo(f"{', '.join(answers)}: written to {_directory() / voice_sheet.SHEET}")


@main.command()
@click.argument("one", type=click.Path(path_type=Path))
@click.argument("two", type=click.Path(path_type=Path))
def marks(one: Path, two: Path) -> None:
    """Print how the systems are judged, by the worse of two readers' marks, and save it."""
    with _one_line():
        figures = count(_directory(), one, two)
    if chosen() in UNSEEN:
        _add_to_results(figures)
    click.echo(json.dumps(figures, indent=2))


def count(directory: Path, one: Path, two: Path) -> dict[str, Any]:
    """The figures, which are also written beside the sheet, with each answer's two marks and what counts."""
    try:
        key = voice_sheet.read_key(directory)
    except OSError as error:
        raise TimokhaError(f"there is no sheet to count by ({error}): make bench PART=voice makes one") from None
    readers = [read_marks(path, set(key)) for path in (one, two)]
    figures = judged(key, *readers)
    worse = worst(*readers)
    each = {
        number: {**asdict(place), "marks": [str(marks[number]) for marks in readers], "counts": str(worse[number])}
        for number, place in key.items()
    }
    written = json.dumps({**figures, "each": each}, indent=1, ensure_ascii=False)
    (directory / "marks.json").write_text(written + "\n", encoding="utf-8")
    return figures


def _add_to_results(figures: Mapping[str, Any]) -> None:
    """To those that the part has in build/bench.json."""
    results = Results(RESULTS)
    found = results.read()
    lists = found.get("voice", {})
    asked = lists.get(chosen(), {})
    both = {name: asked.get(name, {}) | new if isinstance(new, dict) else new for name, new in figures.items()}
    results.write("voice", Part(lists | {chosen(): asked | both}, found.get(RUNS, {}).get("voice", {})))


if __name__ == "__main__":
    main()
