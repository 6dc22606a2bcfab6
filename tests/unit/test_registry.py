"""An engine or a trigger is a row of its table: settings, the doctor, the docs and the images read it there."""

import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from cli.doctor.findings import Level
from cli.doctor.model import examine_model
from events.errors import SettingsError
from events.runtime.clock import SystemClock
from functions.generate.app import open_engine
from functions.generate.engines.echo import EchoEngine
from functions.generate.registry import ENGINES, TRIGGERS, EngineEntry, ModelSource, alternatives
from functions.generate.settings import GenerateSettings

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
ADD = """
from functions.generate.registry import ENGINES, TRIGGERS, EngineEntry, TriggerEntry
ENGINES["parrot"] = EngineEntry(opener="parrots:open_engine", about="a bird")
TRIGGERS["pigeon"] = TriggerEntry(opener="pigeons:open_trigger")
from docs.settings import page
print(page())
"""


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in GenerateSettings.model_fields:
        monkeypatch.delenv(GenerateSettings.variable(name), raising=False)


@pytest.fixture
def parrot(monkeypatch):
    def add(url=None, **more):
        opener = "functions.generate.engines.echo:open_engine"
        monkeypatch.setitem(ENGINES, "parrot", EngineEntry(opener=opener, **more))
        return GenerateSettings.read(engine="parrot", openai_base_url=url)

    return add


async def test_an_engine_of_the_table_is_taken_by_the_settings_and_opened(parrot):
    settings = parrot(batches=True)
    assert settings.slots == GenerateSettings.read().slots > 1
    engine = await open_engine(settings, clock=SystemClock())
    assert isinstance(engine, EchoEngine)


async def test_an_engine_whose_packages_are_missing_names_its_extra(parrot):
    settings = parrot(extra="openai")
    ENGINES["parrot"] = EngineEntry(opener="parrots:open_engine", extra="openai")
    with pytest.raises(SettingsError, match=r"GENERATE_ENGINE=parrot is not installed .*openai"):
        await open_engine(settings, clock=SystemClock())


@pytest.mark.parametrize("source", ModelSource)
def test_the_doctor_looks_at_any_engine_of_the_table(parrot, source, tmp_path):
    required = ("openai_base_url",) if source is ModelSource.SERVER else ()
    settings = parrot("http://127.0.0.1:1/v1", model=source, required=required)
    found = examine_model(settings)
    assert found.text.startswith("model: ")
    assert found.level is not Level.WRONG or "default one" in found.text
    assert examine_model(settings.model_copy(update={"model": str(tmp_path)})).text.startswith("model: ")


def test_the_doctor_names_the_packages_that_an_engine_of_the_table_lacks(parrot):
    found = examine_model(parrot(packages=("parrots", "json"), extra="openai"))
    assert found.level is Level.WRONG
    assert found.text.startswith("model: parrots not installed")


def test_an_engine_without_what_it_requires_is_a_bad_setting(parrot):
    with pytest.raises(SettingsError, match=r"^OPENAI_BASE_URL is missing \(http://host:port/v1"):
        parrot(required=("openai_base_url",))


def test_what_no_table_has_is_refused_with_what_it_takes():
    with pytest.raises(SettingsError, match=r"^GENERATE_ENGINE: got 'parrot', it takes openvino, transformers"):
        GenerateSettings.read(engine="parrot")
    with pytest.raises(SettingsError, match=rf"^GENERATE_TRIGGER: got 'pigeon', it takes {alternatives(TRIGGERS)}$"):
        GenerateSettings.read(trigger="pigeon")


def test_the_docs_list_what_the_tables_have():
    page = subprocess.run([sys.executable, "-c", ADD], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.search(
        r"\| openvino, transformers, openai \(a server that speaks its API\), .+ or parrot \(a bird\) ", page
    )
    assert f"| {', '.join(TRIGGERS)} or pigeon |" in page


def test_the_image_of_generate_installs_the_extras_of_the_tables():
    lines = (ROOT / "deploy/Dockerfile").read_text().partition(" AS build-generate\n")[2].splitlines()
    [copied] = [line for line in lines[:2] if line.startswith("COPY deploy/locks/")]
    wanted = {row.extra for row in ENGINES.values() if row.in_image} | {row.extra for row in TRIGGERS.values()}
    assert {f"deploy/locks/{extra}.txt" for extra in wanted - {""}} == set(copied.split()[1:-1])


@pytest.mark.parametrize("name", ENGINES)
def test_a_row_names_what_there_is(name):
    engine = ENGINES[name]
    assert not engine.extra or engine.extra in EXTRAS
    assert set(engine.required) <= set(engine.options) <= set(GenerateSettings.model_fields)
    for place in filter(None, (engine.opener, engine.preparer, engine.locator)):
        assert find_spec(place.partition(":")[0])


def test_importing_the_tables_imports_no_engine_and_no_broker():
    code = "import sys, functions.generate.settings; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    vendors = {"aio_pika", "nats", "numpy", "openai", "openvino", "openvino_genai", "tokenizers", "torch"}
    assert not vendors & set(done.stdout.split())


def test_the_early_process_is_for_the_default_engine():
    """`openvino.process.start_early` can't read the settings."""
    assert GenerateSettings.read().engine == "openvino"
