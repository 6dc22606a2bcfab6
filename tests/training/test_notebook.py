"""The walk-through runs from its first cell to its last."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from training.data.splits import Part
from training.examples import read_examples

NOTEBOOK = Path(__file__).parents[2] / "training/train.ipynb"
AS_IT_IS = "[bold]жирно[/bold] <b>*и*</b> $x$ :smile: " + "и очень широко " * 12
WIDGET = "application/vnd.jupyter.widget-view+json"


class Client(NotebookClient):
    """A bar that has ended may say so twice, or not last: nbclient's own raises then, and waits for ever."""

    def remove_output_hook(self, msg_id, hook):
        if hook in self.output_hook_stack[msg_id]:
            self.output_hook_stack[msg_id].remove(hook)


@pytest.fixture(scope="module")
def executed(rusdracor_with_markup, base, tmp_path_factory):
    """The notebook after it ran, with the directory that it wrote to."""
    out = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    settings = next(cell for cell in notebook.cells if cell.cell_type == "code")
    chosen = {"OWNER": "Смирнов", "MODEL": str(base), "STEPS": 2, "SAMPLES": 2, "EXPORT": str(rusdracor_with_markup)}
    settings.source += "".join(f"\n{name} = {value!r}" for name, value in chosen.items())
    settings.source += f"\nDATA, RUN, VOICE = (Path({str(out)!r}) / name for name in ('data', 'run', 'voice'))"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TIMOKHA_CACHE", str(out / "cache"))
        patched.delenv("GENERATE_ENGINE", raising=False)
        Client(notebook, timeout=600, resources={"metadata": {"path": str(NOTEBOOK.parents[1])}}).execute()
    return notebook, out


@pytest.fixture(scope="module")
def rusdracor_with_markup(tmp_path_factory):
    """The fixture; what is said first would be changed if it were shown as markup or wrapped."""
    export = json.loads((Path(__file__).parent / "fixtures/rusdracor.json").read_text())
    for message in (message for chat in export["chats"]["list"] for message in chat["messages"][:60]):
        message["text"] += AS_IT_IS
    file = tmp_path_factory.mktemp("export") / "result.json"
    file.write_text(json.dumps(export, ensure_ascii=False))
    return file


def outputs(notebook, containing):
    """Of the code cell with that text."""
    return next(cell for cell in notebook.cells if cell.cell_type == "code" and containing in cell.source).outputs


def printed(notebook, containing):
    return "".join(one.text for one in outputs(notebook, containing) if one.get("name") == "stdout")


def last_looks(notebook):
    """What the bars show at the end."""
    state = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    return str([widget["state"].get("outputs") for widget in state.values()])


# Whichever comes first runs it; ended by a timeout, it says that its kernel died.
@pytest.mark.timeout(900)
def test_the_notebook_runs_on_a_small_export(executed):
    notebook, out = executed
    assert (out / "voice/timokha.json").is_file()
    assert "memorised" in str([cell.get("outputs") for cell in notebook.cells])


@pytest.mark.timeout(900)
def test_its_bars_are_live_and_nothing_warns(executed):
    notebook, _ = executed
    assert any(WIDGET in one.get("data", {}) for one in outputs(notebook, "prepare(PrepareSettings"))
    assert any(WIDGET in one.get("data", {}) for one in outputs(notebook, "fit(FitSettings"))
    assert re.search(r"\b(\d+\.\d)/\1 kB", last_looks(notebook)), "a bar that ended is full"
    assert "Saving the model" in last_looks(notebook)
    assert [one for cell in notebook.cells for one in cell.get("outputs", []) if one.get("name") == "stderr"] == []
    assert "ipywidgets" not in json.dumps([cell.get("outputs") for cell in notebook.cells])


@pytest.mark.timeout(900)
def test_dialogues_are_printed_as_they_are(executed):
    notebook, out = executed
    turns = read_examples(out / "data", Part.TRAIN)[0].turns
    assert any(AS_IT_IS.strip() in turn.text for turn in turns)
    assert printed(notebook, "Part.TRAIN") == "".join(f"{turn.role}: {turn.text}\n" for turn in turns)


@pytest.mark.timeout(900)
def test_the_engine_that_answers_is_the_one_that_generate_runs(executed):
    notebook, out = executed
    assert list((out / "cache").rglob("openvino_model.xml"))
    said = printed(notebook, "engine.generate").splitlines()
    assert said[0].startswith("bits per byte differ by")
    assert said[1] == "Привет! Как дела?"


def test_the_notebook_names_its_settings_as_the_commands_do():
    text = "\n".join(cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells)
    commands = (
        "timokha train prepare --export result.json --owner",
        "timokha train fit --data build/data --out build/run",
        "timokha train evaluate --run build/run",
        "timokha train export --run build/run --to build/voice",
        "timokha generate --model build/voice",
    )
    assert all(command in text for command in commands)


def test_the_committed_notebook_has_no_outputs():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
