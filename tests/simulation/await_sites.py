"""Where the product can be suspended, and so where a crash can find it: each `await`, `async for` and `async with`."""

import dis
import gc
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from edge.sandbox.business_types import HAS_BUSINESS
from edge.userbot.telegram.client_differences import HAS_LIVE_DRAFTS
from tests.simulation.processes import SimulatedTask
from tests.simulation.suspending import unsuspending

ROOT = Path(__file__).parents[2]
BUSINESS = "edge/business"
WITH = (
    "bridge",
    *((BUSINESS,) if HAS_BUSINESS else ()),
    "edge/userbot",
    "events",
    "functions/generate",
    "functions/worker",
)
"""What runs in the simulation, without:"""
WITHOUT = {
    "edge/business/check": "a conversation with a person who looks for what is wrong",
    "edge/business/telegram/check.py": "likewise",
    "edge/business/telegram/check_calls.py": "likewise",
    "edge/business/telegram/check_chat.py": "likewise",
    "edge/business/telegram/check_sending.py": "likewise",
    "edge/business/telegram/check_steps.py": "likewise",
    "edge/userbot/telegram/terminal_input.py": "signing in needs a terminal",
    "edge/userbot/telegram/time_query.py": "asks a server for the time before there is a key",
    "edge/userbot/telegram/unattended.py": "waits for a session file that somebody else makes",
    "events/memory.py": "in place of a broker, in tests",
    "events/health": "a file that only watchers read",
    "events/jetstream/inspection.py": "of `timokha doctor`",
    "events/jetstream/reading.py": "of `timokha record` and `timokha trace`",
    "events/rabbitmq/inspection.py": "of `timokha doctor`",
    "events/runtime/children.py": "of processes that start others",
    "events/runtime/running.py": "the shell around a composition root, which handles signals",
    "events/runtime/signals.py": "likewise",
    "functions/generate/engines": "models; the simulation has the echo engine",
    "functions/generate/models": "likewise",
}
LEAVING = """
edge/userbot/driving/drivers.py Drivers.stop_others
edge/userbot/driving/orders.py Orders._disconnect
edge/userbot/intake/catch_up.py CatchUp.fetch
edge/userbot/intake/intake.py Intake.receive_deletion
edge/userbot/storage/chats.py Chats.erase
edge/userbot/storage/chats.py Chats.erase.<locals>.remove
edge/userbot/storage/chats.py Chats.remove
edge/userbot/storage/index.py ChatIndex.erase
edge/userbot/storage/unreadable.py UnreadableChats.forget_all
events/jetstream/api.py purge_subject
events/jetstream/log.py JetStreamLog.erase_account
events/jetstream/records.py JetStreamRecords.remove
events/jetstream/topology.py Topology.drop_edge
"""
"""What only Business connections need: people who leave, and messages that they delete."""
OF_KURIGRAM = """
edge/userbot/driving/live.py LiveView.begin_live_draft
edge/userbot/driving/performer.py Performer._begins_live_draft
edge/userbot/telegram/client_differences.py make_message
edge/userbot/telegram/live_drafts.py LiveDrafts.show
edge/userbot/telegram/messenger.py TelegramMessenger.live_draft
"""
"""What shows live drafts, which pyrogram does not know, and what waits in its fork only."""
IN_PLACE = """
edge/userbot/telegram/pyrogram_repairs.py _ask
edge/userbot/telegram/pyrogram_repairs.py _cache_peers.<locals>.get_or_cached
edge/userbot/telegram/pyrogram_repairs.py _cache_peers.<locals>.update_and_cache
edge/userbot/telegram/pyrogram_repairs.py _ignore_session_file_errors.<locals>.fetch_or_warn
"""
"""What asks at a terminal, or awaits what SQLite does in place."""
OF_COMMANDS = """
events/jetstream/api.py write_problem
events/jetstream/core_nats.py wake
"""
"""Of `timokha doctor` and `timokha deadletters`."""
FUNCTIONS_WITHOUT = frozenset(
    (IN_PLACE + OF_COMMANDS + ("" if HAS_BUSINESS else LEAVING) + ("" if HAS_LIVE_DRAFTS else OF_KURIGRAM)).splitlines()
)


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """`file`: relative to the repository."""

    file: str
    function: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.function}"


@cache
def sites() -> tuple[Site, ...]:
    """Return all sites of the modules that take part where a task can wait, in the order of their files and lines."""
    without = unsuspending(_files())
    found = {site for path in _files() for site in _of_file(path) if site.line not in without[path]}
    return tuple(sorted(site for site in found if f"{site.file} {site.function}" not in FUNCTIONS_WITHOUT))


def suspended_at(task: SimulatedTask) -> Iterator[Site]:
    """Yield the sites of a task that waits, from the outermost call inwards."""
    for frame in frames(task.get_coro()):
        code = frame.f_code
        if site := site_of(code.co_filename, code.co_qualname, frame.f_lineno):
            yield site


def frames(waiting: Any) -> Iterator[FrameType]:
    """Yield the frames of a coroutine and of what it awaits."""
    while waiting is not None:
        if inspect.iscoroutine(waiting):
            frame, waiting = waiting.cr_frame, waiting.cr_await
        elif inspect.isasyncgen(waiting):
            frame, waiting = waiting.ag_frame, waiting.ag_await
        elif inspect.isgenerator(waiting):
            frame, waiting = waiting.gi_frame, waiting.gi_yieldfrom
        else:
            # What `__anext__` returned has no other way to its generator.
            waiting = next((one for one in gc.get_referents(waiting) if inspect.isasyncgen(one)), None)
            continue
        if frame is not None:
            yield frame


@cache
def site_of(path: str, function: str, line: int) -> Site | None:
    """Return the site of a suspended frame, None if it is not ours.

    By its path: the same function of the version before has a code that is equal.
    """
    file = _relative(path)
    return Site(file, function, line) if file and _takes_part(file) else None


def _files() -> Iterator[Path]:
    for folder in WITH:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if _takes_part(path.relative_to(ROOT).as_posix()):
                yield path


def _takes_part(file: str) -> bool:
    def within(places: Any) -> bool:
        return any(file == place or file.startswith(f"{place}/") for place in places)

    return within(WITH) and (file == "functions/generate/engines/echo.py" or not within(WITHOUT))


def _relative(file: str) -> str:
    path = Path(file)
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else ""


def _of_file(path: Path) -> Iterator[Site]:
    file = path.relative_to(ROOT).as_posix()
    for code in _codes(compile(path.read_text(encoding="utf-8"), str(path), "exec")):
        if code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
            for instruction in dis.get_instructions(code):
                if instruction.opname == "SEND" and instruction.positions and instruction.positions.lineno:
                    yield Site(file, code.co_qualname, instruction.positions.lineno)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
