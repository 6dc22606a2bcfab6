"""Record the functions that one question runs through, from its arrival at the userbot to the answer in its chat.

The userbot and a generate function with the echo engine run in this process, with a real NATS server and the sandbox
Telegram. A question begins when the sandbox has it to push, and ends when the sandbox has the answer.

- A call is a function of the product's packages that begins to run; a coroutine or generator that goes on is none.
  Comprehensions and lambdas are read where they stand, so they are none either.
- Calls are in order of time, whichever task makes them.
- Left out are the telemetry, the helpers of `events/runtime`, and the sandbox, which stands in for Telegram.
- A switch is a call in another file than the call before.
- `reading` takes only the first call of each function: a reader looks at it once.

What timers run, e.g. the upkeep of streams, may fall into a question. So only the functions count that run in each of
several questions, and of those questions the one with the fewest calls. One is asked before them, to fill caches.
"""

import asyncio
import dis
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, FrameType

import structlog

from cli.demo.nats_server import EmbeddedServer
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import API_HASH, API_ID, signed_in_session
from edge.userbot import app as userbot
from edge.userbot.settings import UserbotSettings
from functions.generate import app as generate
from functions.generate.settings import GenerateSettings
from observability.telemetry import noop_telemetry

LEFT_OUT = ("observability/", "events/runtime/", "edge/sandbox/")
QUESTIONS = 5
LIMIT = 60
"""Seconds for everything."""
REST = 1.7
"""Seconds between questions: longer than anything that the last one leaves for later, e.g. a save after one second."""
OWNER_PHONE, VISITOR_PHONE = "+79990000001", "+79990000002"


@dataclass(frozen=True)
class Call:
    """A function that began to run; `file` is its path below the root, with slashes."""

    file: str
    function: str


class Recorder:
    """Record this thread's calls of functions in files below `root` that begin with one of `packages`."""

    def __init__(self, root: Path, packages: tuple[str, ...]) -> None:
        self.calls: list[Call] = []
        self._root = root
        self._wanted = tuple(f"{package}/" for package in packages)
        self._known: dict[tuple[str, CodeType], tuple[Call | None, int]] = {}

    @contextmanager
    def recording(self) -> Iterator[None]:
        sys.setprofile(self._hear)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _hear(self, frame: FrameType, event: str, _argument: object) -> None:
        if event != "call":
            return
        code = frame.f_code
        key = code.co_filename, code  # code of two files may be equal
        if key not in self._known:
            self._known[key] = self._call(code), _begin(code)
        call, begin = self._known[key]
        if call and frame.f_lasti <= begin:
            self.calls.append(call)

    def _call(self, code: CodeType) -> Call | None:
        path = Path(code.co_filename)
        if code.co_name.startswith("<") or not path.is_relative_to(self._root):
            return None
        name = path.relative_to(self._root).as_posix()
        wanted = name.startswith(self._wanted) and not name.startswith(LEFT_OUT)
        return Call(name, code.co_qualname) if wanted else None


def _begin(code: CodeType) -> int:
    """Return the offset of the first RESUME: a coroutine that goes on is beyond it."""
    return next((step.offset for step in dis.get_instructions(code) if step.opname == "RESUME"), 0)


@dataclass(frozen=True)
class Journey:
    """The calls of one question, in order."""

    calls: list[Call]

    @cached_property
    def reading(self) -> list[Call]:
        """Return the first call of each function, in order."""
        return list(dict.fromkeys(self.calls))

    @property
    def figures(self) -> dict[str, object]:
        return {
            "question_files": len({call.file for call in self.calls}),
            "question_functions": len(self.reading),
            "question_calls": len(self.calls),
            "question_switches": switches(self.calls),
            "question_switches_reading": switches(self.reading),
        }


def switches(calls: list[Call]) -> int:
    return sum(call.file != before.file for before, call in pairwise(calls))


class _Log:
    """A structlog processor that keeps the names of events instead of writing lines."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._changed = asyncio.Event()

    def __call__(self, _logger: object, _method: str, event: Mapping[str, object]) -> Mapping[str, object]:
        self._names.append(str(event["event"]))
        self._changed.set()
        raise structlog.DropEvent

    async def until(self, name: str, times: int = 1) -> None:
        while self._names.count(name) < times:
            self._changed.clear()
            await self._changed.wait()


@dataclass(frozen=True)
class _Chat:
    """A visitor's chat with the owner of the userbot, as Telegram has it."""

    telegram: Sandbox
    owner: Account
    visitor: Account

    async def ask(self, text: str) -> None:
        """Ask `text`; return when the echo of it has come."""
        self.telegram.send(self.visitor.id, self.owner.id, f"Тимоха, {text}")
        await self.telegram.wait_for(self._last_is(text), timeout=LIMIT)

    def _last_is(self, text: str):
        return lambda: self.telegram.messages(self.visitor.id, self.owner.id)[-1].text == text


def measure(root: Path, packages: tuple[str, ...]) -> Journey:
    """Return the calls of one question. Raises SystemExit if the product that runs lies elsewhere than below `root`."""
    # pyrogram writes to the working directory, and settings are read from an `.env` there.
    with TemporaryDirectory(prefix="timokha-structure-") as directory, chdir(directory):
        recorded = asyncio.run(_ask(Path(directory), root, packages))
    if not all(recorded):
        raise SystemExit(f"no call was recorded: other packages ran than those below {root}; set PYTHONPATH to it")
    return shortest(recorded)


def shortest(recorded: list[list[Call]]) -> Journey:
    """Return the question with the fewest calls of functions that all questions have called."""
    common = set.intersection(*map(set, recorded))
    return Journey(min(([call for call in calls if call in common] for calls in recorded), key=len))


async def _ask(directory: Path, root: Path, packages: tuple[str, ...]) -> list[list[Call]]:
    """Ask some questions; return the calls of each."""
    log, stop, recorded = _Log(), asyncio.Event(), []
    structlog.configure(processors=[log])
    async with (
        asyncio.timeout(LIMIT),
        EmbeddedServer(directory / "nats") as nats,
        Sandbox() as telegram,
        asyncio.TaskGroup() as tasks,
    ):
        chat = _Chat(
            telegram,
            owner=telegram.add_user(first_name="Тимоха", phone=OWNER_PHONE),
            visitor=telegram.add_user(first_name="Гость", phone=VISITOR_PHONE),
        )
        tasks.create_task(userbot.main(await _userbot(directory, telegram, nats.url), noop_telemetry(), stop))
        tasks.create_task(
            generate.main(GenerateSettings.read(engine="echo", nats_url=nats.url), noop_telemetry(), stop)
        )
        await log.until("userbot.ready")
        await log.until("generate.ready")
        for number in range(QUESTIONS + 1):
            await asyncio.sleep(REST)
            recorder = Recorder(root, packages)
            with recorder.recording():
                await chat.ask(f"вопрос {number}")
            await log.until("question.settled", number + 1)
            recorded.append(recorder.calls)
        stop.set()
    return recorded[1:]


async def _userbot(directory: Path, telegram: Sandbox, nats_url: str) -> UserbotSettings:
    """Sign the owner in; return the settings of the owner's userbot."""
    session, key = directory / "owner.session", directory / "telegram.pem"
    await signed_in_session(telegram, OWNER_PHONE, session=session)
    key.write_text(telegram.public_key_pem)
    return UserbotSettings.read(
        api_id=API_ID,
        api_hash=API_HASH,
        session=str(session),
        telegram_server=telegram.address,
        telegram_key=key,
        nats_url=nats_url,
    )
