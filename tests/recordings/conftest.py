"""Every recording in here is a test: each of its questions, asked again, gets the recorded answer.

`timokha record tests/recordings/NAME.jsonl` makes another one. The engine is the one that GENERATE_* names, by default
`echo`; what another model has answered is skipped.
"""

import asyncio
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from random import Random

import pytest

from cli.replay.cases import Case, Reply, cases
from cli.replay.command import compare_replies
from cli.replay.in_process import in_process_player
from events.recordings.lines import read
from events.runtime.clock import SystemClock
from functions.generate.app import open_engine
from functions.generate.settings import GenerateSettings
from observability.telemetry import noop_telemetry


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> "RecordingFile | None":
    return RecordingFile.from_parent(parent, path=file_path) if file_path.suffix == ".jsonl" else None


class RecordingFile(pytest.File):
    @cached_property
    def cases(self) -> list[Case]:
        return cases(read(self.path))

    @cached_property
    def replayed(self) -> tuple[str, list[Reply | None]]:
        """The model's name, and its replies to all cases, played once."""
        return asyncio.run(self._play())

    async def _play(self) -> tuple[str, list[Reply | None]]:
        settings = GenerateSettings.read(engine=os.environ.get("GENERATE_ENGINE") or "echo")
        engine = await open_engine(settings, clock=SystemClock())
        try:
            async with in_process_player(
                engine, slots=settings.slots, telemetry=noop_telemetry(), clock=SystemClock(), random=Random(1)
            ) as player:
                return engine.model, await player.play(self.cases)
        finally:
            await engine.close()

    def collect(self) -> Iterator["RecordedQuestion"]:
        for number, case in enumerate(self.cases):
            yield RecordedQuestion.from_parent(self, name=case.request.request_id, number=number)


class RecordedQuestion(pytest.Item):
    parent: RecordingFile

    def __init__(self, *, number: int, **given: object) -> None:
        super().__init__(**given)
        self._number = number

    def runtest(self) -> None:
        case = self.parent.cases[self._number]
        model, replies = self.parent.replayed
        recorded_by = getattr(case.reply, "model", model)
        if recorded_by != model:
            pytest.skip(f"recorded with {recorded_by}, not with {model}")
        report = compare_replies([case], [replies[self._number]])
        assert report.differed == 0, str(report)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *_: object) -> str:
        return str(excinfo.value).partition("\nassert")[0]

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.name
