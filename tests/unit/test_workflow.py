"""GitHub's workflow runs `.ci/run`, and pre-commit runs what `make check` runs; both files fit their schemas."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github/workflows/ci.yml"
HOOKS = ROOT / ".pre-commit-config.yaml"


def run(*command):
    said = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    return said.returncode, said.stdout + said.stderr


@pytest.mark.parametrize("schema", ["vendor.github-workflows", "custom.github-workflows-require-timeout"])
def test_the_workflow_fits_its_schema(schema):
    pytest.importorskip("check_jsonschema")
    code, said = run("check_jsonschema", "--builtin-schema", schema, str(WORKFLOW))
    assert code == 0, said


def test_the_schema_notices_a_misspelt_key(tmp_path):
    pytest.importorskip("check_jsonschema")
    wrong = tmp_path / "ci.yml"
    wrong.write_text(WORKFLOW.read_text().replace("runs-on:", "run-on:"))
    assert run("check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(wrong))[0] == 1


def test_the_workflow_runs_what_every_change_must_pass_and_can_write_nothing():
    workflow = yaml.safe_load(WORKFLOW.read_text())
    ran = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    assert any(re.search(r"\bbash \.ci/run$", command) for command in ran)
    assert all(job["runs-on"].startswith("ubuntu-") for job in workflow["jobs"].values())
    assert workflow["permissions"] == {"contents": "read"}


def test_the_workflow_has_a_second_python():
    steps = yaml.safe_load(WORKFLOW.read_text())["jobs"]["tests"]["steps"]
    (versions,) = (step["with"]["python-version"] for step in steps if "setup-python" in step.get("uses", ""))
    assert versions.split() == ["3.13", "3.11"]


def test_the_hooks_fit_pre_commits_schema():
    pytest.importorskip("pre_commit")
    code, said = run("pre_commit", "validate-config", str(HOOKS))
    assert code == 0, said


def test_the_hooks_run_what_make_check_runs():
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    checked = [line.partition("$(BIN)/")[2].removesuffix(" .") for line in recipe[1].splitlines()]
    (local,) = yaml.safe_load(HOOKS.read_text())["repos"]
    assert local["repo"] == "local"
    assert {hook["language"] for hook in local["hooks"]} == {"system"}
    assert [hook["entry"].removeprefix(".venv/bin/") for hook in local["hooks"]] == checked
