"""docs/models.md: its lines are settings, and each configuration in its table answers as a tiny model of that kind."""

import re
from pathlib import Path

import pytest

from events.runtime.clock import SystemClock
from events.schema import Role, Sampling, Turn
from functions.generate.app import open_engine
from functions.generate.engines.openvino.export.transformers_export import export
from functions.generate.settings import GenerateSettings
from tests.generate import tiny_models

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
LINE = re.compile(r"\b((?:GENERATE|OPENAI)_[A-Z_]+)=([^`\s]+)")
TABLE = PAGE.partition("| your machine |")[2].partition("\n\n")[0].splitlines()[2:]
HERE = [row for row in TABLE if "OPENAI_BASE_URL" not in row]
CONFIGURATIONS = sorted(set(re.findall(r"\| `(\w+)` \|", "\n".join(HERE))))


def settings_of(text: str, monkeypatch: pytest.MonkeyPatch, **others: str) -> GenerateSettings:
    for name, value in {**dict(LINE.findall(text)), **others}.items():
        monkeypatch.setenv(name, value)
    return GenerateSettings()


@pytest.mark.parametrize("line", sorted(set(LINE.findall(PAGE))), ids="=".join)
def test_every_line_is_a_setting_with_a_value_that_it_takes(line, monkeypatch):
    settings_of("=".join(line), monkeypatch, OPENAI_BASE_URL="http://127.0.0.1:8080/v1")


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.split("|")[2].strip())
def test_the_lines_of_a_row_go_together(row, monkeypatch):
    settings = settings_of(row, monkeypatch)
    assert (settings.engine == "openai") == (row not in HERE)
    assert row not in HERE or any(f"| `{name}` |" in row for name in CONFIGURATIONS)


@pytest.mark.parametrize("name", CONFIGURATIONS)
async def test_a_tiny_model_of_each_configuration_answers(name, tmp_path, monkeypatch):
    source = tiny_models.save(name, tmp_path / "model")
    export(
        str(source), tmp_path / "prepared", bits=8, clock=SystemClock()
    )  # as `timokha model` does it, in this process
    settings = settings_of("", monkeypatch, GENERATE_MODEL=str(tmp_path / "prepared"), GENERATE_SLOTS="1")
    engine = await open_engine(settings, clock=SystemClock())
    try:
        answer = await engine.generate(
            [Turn(role=Role.USER, text="Как дела?")], Sampling(temperature=0, max_new_tokens=5)
        )
    finally:
        await engine.close()
    assert 0 < answer.usage.output_tokens <= 5
