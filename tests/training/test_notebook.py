"""The walk-through runs from its first cell to its last."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "training/train.ipynb"


@pytest.mark.timeout(300)
def test_the_notebook_runs_on_a_small_export(rusdracor, base, tmp_path):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    settings = next(cell for cell in notebook.cells if cell.cell_type == "code")
    chosen = {"OWNER": "Смирнов", "MODEL": str(base), "STEPS": 2, "SAMPLES": 2}
    settings.source += f"\nEXPORT, OUT = Path({str(rusdracor)!r}), Path({str(tmp_path)!r})\n"
    settings.source += "\n".join(f"{name} = {value!r}" for name, value in chosen.items())
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(NOTEBOOK.parents[1])}}).execute()
    assert (tmp_path / "model/timokha.json").is_file()
    assert "memorised" in str([cell.get("outputs") for cell in notebook.cells])


def test_the_committed_notebook_has_no_outputs():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
