"""The product uses only those private parts of its vendors that are listed, and they are what it takes them for."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from events.telegram_client import installed_clients
from tests.vendors.parts import USED
from tests.vendors.uses import Module, Use, defined, names_of

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PARTS = [part for parts in USED.values() for part in parts]
BROUGHT_BY = {
    "aio_pika": ["aio-pika", "aiormq"],  # the repair of aio-pika's channels goes round a future of aiormq's
    "nats": ["nats-py"],
    "openvino": ["openvino-genai"],
    "pamqp": ["pamqp"],
    "pydantic_settings": ["pydantic-settings"],
    "pyrogram": ["pyrogram", "kurigram"],
    "transformers": ["transformers"],
}


def of_product_alone():
    """Look in a process of its own: in this one another test may have put our repairs in the vendors' places."""
    code = (
        "import json, pathlib, tests.vendors.uses as uses\n"
        "print(json.dumps([[use.file, use.how, use.name] for use in uses.of_product(pathlib.Path())]))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=100
    )
    return {Use(*found) for found in json.loads(said.stdout)}


def test_no_private_part_is_used_that_is_not_listed():
    found = of_product_alone()
    assert sorted(found - set(USED)) == [], "do without it, or list it in tests/vendors/parts.py"
    assert sorted(set(USED) - found) == [], "not used any more: take it out of tests/vendors/parts.py"


@pytest.fixture(scope="module")
def shapes():
    """The shape of each part whose vendor is installed."""
    asked = [sys.executable, "-m", "tests.vendors.shapes", *sorted({part.path for part in PARTS})]
    said = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True, timeout=100)
    return json.loads(said.stdout)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part.path}{part.only and f' of {part.only}'}")
def test_a_private_part_has_the_shape_that_is_relied_on(part, shapes):
    if part.path not in shapes or (part.only and part.only not in {client.name for client in installed_clients()}):
        pytest.skip("its vendor is not installed")
    assert shapes[part.path] == part.shape


@pytest.mark.parametrize(
    ("file", "heir", "base"),
    [
        ("edge/userbot/telegram/pyrogram_session.py", "MendedSession", "pyrogram.session.session.Session"),
        ("events/jetstream/client.py", "Client", "nats.aio.client.Client"),
    ],
)
def test_a_repaired_class_finds_all_that_it_reads_of_itself(file, heir, base):
    pytest.importorskip(base.partition(".")[0])
    tree = ast.parse((ROOT / file).read_text())
    (ours,) = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == heir)
    read = {
        node.attr for node in ast.walk(ours) if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self"
    }
    assert read - defined([ours]) - names_of(base) == set()


def test_what_has_private_parts_that_we_use_has_an_upper_bound():
    asked = [*PROJECT["dependencies"], *(line for extra in PROJECT["optional-dependencies"].values() for line in extra)]
    for vendor in {part.path.partition(".")[0] for part in PARTS}:
        for package in BROUGHT_BY[vendor]:
            lines = [line for line in asked if re.match(rf"{package}(?![\w-])", line)]
            assert lines, f"{package} is imported and should be asked for"
            assert [line for line in lines if not re.search(r"==|<", line)] == [], "say up to which version"


FOUND = {
    "imports of a private module": ("from nats._codec import read", "imports", "nats._codec.read"),
    "imports of a private name": ("import pamqp._frames", "imports", "pamqp._frames"),
    "a call": ("async def ask(js):\n    return await js._api_request()", "reads", "_api_request"),
    "an override": (
        "import logging\nclass Mine(logging.Handler):\n    def _at_fork_reinit(self): ...",
        "reads",
        "_at_fork_reinit",
    ),
    "an attribute of a base's": (
        "import logging\nclass Mine(logging.Handler):\n    def emit(self, record):\n        return self._name",
        "reads",
        "_name",
    ),
    "a method of a base's": (
        "import logging\nclass Mine(logging.Handler):\n    def emit(self, record):\n        super()._emit(record)",
        "reads",
        "_emit",
    ),
    "a replaced method": (
        "from pyrogram import Client as Vendor\nVendor.send = print",
        "patches",
        "pyrogram.Client.send",
    ),
    "a replaced item": (
        "from pamqp import decode\ndecode.METHODS['table'] = len",
        "patches",
        "pamqp.decode.METHODS['table']",
    ),
    "a replaced name of a module": ("import nats\nvars(nats)['x'] = 1", "patches", "nats['x']"),
    "a computed name": ("from nats import aio\nsetattr(aio, name, 1)", "patches", "nats.aio"),
}


@pytest.mark.parametrize(("text", "how", "name"), FOUND.values(), ids=FOUND)
def test_a_use_is_found(text, how, name):
    assert set(Module("edge/bad.py", text).uses()) == {Use("edge/bad.py", how, name)}


OURS = {
    "what the class has": "class Mine:\n    def ask(self):\n        return self._asked",
    "what the module defines": "class Mine:\n    _api = 1\n    def copy(self, other):\n        return other._api",
    "a new attribute of an heir": (
        "import logging\nclass Mine(logging.Handler):\n    def emit(self, _):\n        self._own = 1\n        self._own"
    ),
    "what is documented": "import os\nos._exit(1)",
    "one's own packages": "from events import log\nlog.level = 1",
}


@pytest.mark.parametrize("text", OURS.values(), ids=OURS)
def test_what_is_ours_or_public_is_none(text):
    assert set(Module("edge/fine.py", text).uses()) == set()
