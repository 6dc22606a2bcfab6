"""Who may import whom: the contracts of pyproject.toml hold, and each of them can be broken."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
VENDORS = {
    "aio_pika",
    "aiormq",
    "babel",
    "fluent",
    "mtproto",
    "nats",
    "pamqp",
    "pyrogram",
    "tgcrypto",
    "torch",
    "transformers",
}

VIOLATIONS = {
    "Dependencies point inward": ("events/bad.py", "import observability"),
    "Telegram's libraries": ("edge/userbot/bad.py", "import pyrogram.raw"),
    "The model libraries": ("functions/bad.py", "def load():\n    import torch"),
    "NATS stays": ("edge/bad_too.py", "from nats.js import JetStreamContext"),
    "Project Fluent": ("edge/userbot/worse.py", "from fluent.runtime import FluentBundle"),
    "RabbitMQ's client": ("bridge/bad.py", "import aio_pika"),
}


LAYERS = {
    "events/bad.py": "import observability",
    "edge/bad.py": "import cli",
    "bridge/bad.py": "import functions.generate",
    "functions/worker/bad.py": "import functions.generate",
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [LINT_IMPORTS, "--no-cache", "--no-logo", "--config", "pyproject.toml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def imported(source: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def test_every_import_contract_is_kept():
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture
def packages(tmp_path) -> Path:
    """The packages, without a module in them."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    inner = ("edge/userbot", "functions/generate", "functions/worker")
    for package in ("bridge", "cli", "edge", "events", "functions", "observability", "training", *inner):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    return tmp_path


def test_every_import_contract_notices_its_violation(packages):
    for path, source in VIOLATIONS.values():
        (packages / path).write_text(source + "\n")
    result = lint(packages)
    lines = result.stdout.splitlines()
    broken = [line for line in lines if line.endswith(" BROKEN")]
    assert not [line for line in lines if " KEPT" in line]
    assert {name for name in VIOLATIONS if any(line.startswith(name) for line in broken)} == set(VIOLATIONS)


@pytest.mark.parametrize(("path", "source"), LAYERS.items())
def test_no_layer_imports_one_above_or_beside_it(packages, path, source):
    (packages / path).write_text(source + "\n")
    assert "Dependencies point inward, and the processes do not know each other BROKEN" in lint(packages).stdout


def test_the_command_line_imports_no_vendor():
    for file in (ROOT / "cli").glob("*.py"):
        assert not imported(file.read_text()) & VENDORS, file


BANNED = {
    "asyncio.sleep": "import asyncio as a\n\n\nasync def wait():\n    await a.sleep(0)\n",
    "datetime.date.today": "from datetime import date\n\nTODAY = date.today()\n",
    "datetime.datetime.now": "from datetime import UTC, datetime\n\nNOW = datetime.now(UTC)\n",
    "datetime.datetime.utcnow": "import datetime\n\nNOW = datetime.datetime.utcnow()\n",
    "random.random": "from random import random as draw\n\nCHANCE = draw()\n",
    "random.uniform": "import random\n\nPAUSE = random.uniform(0, 1)\n",
    "time.monotonic": "import time\n\nCLOCK = time.monotonic\n",
    "time.perf_counter": "import time as t\n\nBEGAN = t.perf_counter()\n",
    "time.sleep": "from time import sleep\n\nsleep(1)\n",
    "time.time": "import time\n\nNOW = time.time()\n",
    "uuid.uuid4": "from uuid import uuid4\n\nNAME = uuid4().hex\n",
}


def refused(path: str, source: str) -> list[str]:
    """What the clock's lint rule says of `source`, were it in the file `path`."""
    command = [LINT_IMPORTS.with_name("ruff"), "check", "--quiet", "--no-cache", "--select", "TID251"]
    result = subprocess.run(
        [*command, "--output-format", "json", "--stdin-filename", path, "-"],
        cwd=ROOT,
        input=source,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return [found["message"] for found in json.loads(result.stdout)]


@pytest.mark.parametrize("name", BANNED)
def test_nobody_asks_the_machine_for_time_chance_or_sleep(name):
    found = refused("edge/userbot/bad.py", BANNED[name])
    assert found
    assert all(message.startswith(f"`{name}` is banned") for message in found)


@pytest.mark.parametrize("folder", ["bridge", "cli", "events/runtime", "functions", "observability", "training"])
def test_nobody_means_nobody(folder):
    assert refused(f"{folder}/bad.py", BANNED["time.time"])


@pytest.mark.parametrize("path", ["events/runtime/clock.py", "tests/unit/fine.py", "benchmarks/fine.py"])
def test_a_clock_a_test_and_a_measurement_may(path):
    assert not refused(path, BANNED["time.monotonic"])


def test_the_rule_is_on_for_the_whole_project():
    command = [LINT_IMPORTS.with_name("ruff"), "check", "--show-settings", "cli/demo/command.py"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert "banned-api (TID251)" in shown.stdout.partition("linter.rules.should_fix")[0]
