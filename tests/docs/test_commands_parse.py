"""Each `timokha` and each `make` of the documents has arguments that it takes, whether it can be run here or not."""

import os
import re
import shlex
import subprocess

import click
import pytest

from benchmarks.__main__ import PARTS
from benchmarks.voice_lists import LISTS
from cli.program import program
from events.runtime.signals import Signals
from tests.docs.shown import ROOT, every_command, in_sentences

MAKEFILE = (ROOT / "Makefile").read_text()
VARIABLES = {*re.findall(r"^# ([A-Z_]+) {2,}", MAKEFILE, re.MULTILINE), "UPGRADE"}
ONE_OF = {"PART": PARTS, "VOICE_LIST": LISTS, "CLIENT": ("pyrogram", "kurigram")}
TYPED = sorted({*every_command(), *in_sentences()})
OURS = re.compile(
    r"(?:^|/bin/|\b[A-Z_]+=\S+ |FILE |docker compose run (?:--[\w-]+ )*)(?:timokha|tools|business) (.+)$", re.MULTILINE
)
PLACEHOLDERS = {"…": "", "timokha COMMAND": "timokha trace", "train COMMAND": "train fit"}
"""What stands for something in a sentence, and what may stand there."""


def arguments(command):
    """What each `timokha` in it is given."""
    for placeholder, value in PLACEHOLDERS.items():
        command = command.replace(placeholder, value)
    return [shlex.split(found) for found in OURS.findall(command)]


def parsed(words, whole=True):
    """Parse them and run nothing; what is not `whole` may lack an argument at its end."""
    command, name = program(Signals(service=False)), "timokha"
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        assert found, f"{name} {words[0]}"
        command, name, words = found, f"{name} {words[0]}", words[1:]
    if isinstance(command, click.Group) and not words and not whole:
        return
    try:
        command.make_context(name, list(words))
    except click.exceptions.Exit:
        pass  # after --help
    except (click.MissingParameter, click.BadOptionUsage):
        if whole:
            raise


OF_TIMOKHA = [command for command in TYPED if arguments(command)]
OF_MAKE = [command for command in TYPED if re.search(r"(?:^|\| |[\w.]+=\S+ )make ", command)]


@pytest.mark.parametrize("command", OF_TIMOKHA)
def test_timokha_takes_its_arguments(command):
    for words in arguments(command):
        parsed(words, whole=command in every_command())


@pytest.mark.parametrize("wrong", ["timokha trian", "timokha record a.jsonl --sinse 5", "A=b timokha generate --slots"])
def test_what_timokha_does_not_take_is_noticed(wrong):
    [words] = arguments(wrong)
    with pytest.raises((AssertionError, click.UsageError)):
        parsed(words)


def planned(command):
    """What `make` would run, without what those who run these tests have set."""
    set_outside = ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "ARGS", *VARIABLES)
    environment = {name: value for name, value in os.environ.items() if name not in set_outside}
    script = re.sub(r"\bmake ", "make --dry-run --no-print-directory ", command.rpartition("| ")[2])
    ran = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("command", OF_MAKE)
def test_make_takes_its_variables_and_so_does_what_it_runs(command):
    values = dict(re.findall(r"\b([A-Z_]+)=(\S*)", command.partition("ARGS=")[0] if "ARGS=" in command else command))
    assert set(values) <= VARIABLES
    assert [value for name, value in values.items() if value not in ONE_OF.get(name, (value,))] == []
    for words in arguments(planned(command).replace("\\\n", "")):
        parsed(words)
