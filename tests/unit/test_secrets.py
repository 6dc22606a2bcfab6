"""`make check` looks for secrets; .secrets.baseline has what looks like one and is none."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.secret_baseline import BASELINE, slim

ROOT = Path(__file__).parents[2]


def test_the_baseline_has_no_line_numbers_and_only_files_that_are_there():
    baseline = json.loads(BASELINE.read_text())
    assert slim(baseline) == baseline, "run `make secrets`"
    assert [file for file in baseline["results"] if not (ROOT / file).exists()] == [], "run `make secrets`"


# In two parts, so that this file has none.
SECRETS = {
    "Hex High Entropy String": ('API_HASH = "0f3b8c6d1e2a49', '57b8c0d6e3f1a29c47"'),
    "Telegram Bot Token": ('BOT = "1234567890:AAHk3v9Lq2xWm8T', 'zR4bYcN7dEfGhJpKsQuV"'),
    "Private Key": ("-----BEGIN RSA ", "PRIVATE KEY-----"),
}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_found(tmp_path, kind):
    pytest.importorskip("detect_secrets")
    (tmp_path / "new.py").write_text("".join(SECRETS[kind]) + "\n")
    (tmp_path / BASELINE.name).write_text(BASELINE.read_text())
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    hook = Path(sys.executable).with_name("detect-secrets-hook")
    command = [hook, "--no-verify", "--baseline", BASELINE.name, "new.py"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert said.returncode == 1, said.stdout + said.stderr
    assert f"Secret Type: {kind}" in said.stdout
