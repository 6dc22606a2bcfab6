"""Who may import whom: the contracts of pyproject.toml hold, and each of them can be broken."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
VENDORS = {"aio_pika", "aiormq", "mtproto", "nats", "pamqp", "pyrogram", "tgcrypto", "torch", "transformers"}

VIOLATIONS = {
    "Dependencies point inward": ("events/bad.py", "import observability"),
    "Nothing imports the command line": ("edge/bad.py", "import cli"),
    "Telegram's libraries": ("edge/userbot/bad.py", "import pyrogram.raw"),
    "The model libraries": ("functions/bad.py", "def load():\n    import torch"),
    "NATS stays": ("edge/bad_too.py", "from nats.js import JetStreamContext"),
    "RabbitMQ's client": ("bridge/bad.py", "import aio_pika"),
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


def test_every_import_contract_notices_its_violation(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in ("bridge", "edge", "edge/userbot", "events", "functions", "observability", "training"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    for path, source in VIOLATIONS.values():
        (tmp_path / path).write_text(source + "\n")
    result = lint(tmp_path)
    lines = result.stdout.splitlines()
    broken = [line for line in lines if line.endswith(" BROKEN")]
    assert not [line for line in lines if " KEPT" in line]
    assert {name for name in VIOLATIONS if any(line.startswith(name) for line in broken)} == set(VIOLATIONS)


def test_the_command_line_imports_no_vendor():
    for file in (ROOT / "cli").glob("*.py"):
        assert not imported(file.read_text()) & VENDORS, file
