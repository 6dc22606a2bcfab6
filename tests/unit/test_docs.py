"""The documents say only what is true: links lead somewhere, and commands, targets, settings and paths exist."""

import re
from pathlib import Path

import pytest
import yaml

from cli.commands import COMMANDS, GROUPS
from docs import settings

ROOT = Path(__file__).parents[2]
MARKDOWN = [
    path
    for path in sorted(ROOT.rglob("*.md"))
    if not any(part.startswith(".") or part in {"build", "models"} for part in path.relative_to(ROOT).parts)
]
READMES = [ROOT / "README.md", ROOT / "README.ru.md"]
MAKEFILE = (ROOT / "Makefile").read_text()
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
VARIABLE = re.compile(
    r"\b(?:API|BOT|BRIDGE|DEMO|DOCTOR|GENERATE|NATS|OTEL|RABBITMQ|SANDBOX|SETUP|TIMOKHA|TRACE|TRAINING|USERBOT)_[A-Z_]+\b"
)


def names(paths):
    return [str(path.relative_to(ROOT)) for path in paths]


def anchor(heading):
    """As GitHub makes it."""
    kept = re.sub(r"[^\w\s-]", "", heading.strip().lower())
    return re.sub(r"\s", "-", kept)


def anchors(path):
    text = CODE_BLOCK.sub("", path.read_text())
    return {anchor(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("path", MARKDOWN, ids=names(MARKDOWN))
def test_every_link_inside_the_project_leads_somewhere(path):
    for target in LINK.findall(CODE_BLOCK.sub("", path.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, fragment = target.partition("#")
        found = (path.parent / place).resolve() if place else path
        assert found.exists(), target
        if fragment:
            assert fragment in anchors(found), target


@pytest.mark.parametrize(("place", "write"), [("docs/settings.md", settings.page), (".env.example", settings.example)])
def test_what_make_docs_writes_is_up_to_date(place, write):
    assert (ROOT / place).read_text() == write(), "run `make docs`"


@pytest.mark.parametrize("path", MARKDOWN, ids=names(MARKDOWN))
def test_every_setting_that_is_named_exists(path):
    assert set(VARIABLE.findall(path.read_text())) <= settings.variables() | {"RABBITMQ_HOME"}


@pytest.mark.parametrize("path", MARKDOWN, ids=names(MARKDOWN))
def test_every_command_that_is_named_exists(path):
    for first, second in re.findall(r"(?:`|\$ |/|=original )timokha ([a-z]+)(?: ([a-z]+))?", path.read_text()):
        assert {first, f"{first} {second}"} & {*COMMANDS, *GROUPS}, f"timokha {first} {second}"


@pytest.mark.parametrize("path", MARKDOWN, ids=names(MARKDOWN))
def test_every_make_target_that_is_named_exists(path):
    named = re.findall(r"(?:`|\| |\$ )make ([a-z][a-z-]*)", path.read_text())
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert set(named) <= targets


@pytest.mark.parametrize("path", READMES, ids=names(READMES))
def test_every_compose_service_that_is_named_exists(path):
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    text = path.read_text()
    named = re.findall(r"--scale ([\w-]+)=", text) + re.findall(r"docker compose run (?:--\w+ )*([\w-]+)", text)
    profiles = {profile for service in compose["services"].values() for profile in service.get("profiles", [])}
    assert named
    assert set(named) <= set(compose["services"])
    assert set(re.findall(r"--profile ([\w-]+)", text)) <= profiles


def test_the_readme_lists_every_command():
    text = (ROOT / "README.md").read_text()
    for name in COMMANDS:
        assert f"| `timokha {name}`" in text or f"| `timokha {name.split()[0]}`" in text, name


def test_every_path_in_the_readmes_tree_exists():
    tree = (ROOT / "README.md").read_text().split("## Where things are")[1].split("```")[1]
    parent = ROOT
    for line in tree.strip().splitlines():
        name = line.split()[0]
        if not line.startswith(" "):
            parent = ROOT / name
        assert (parent / name if line.startswith(" ") else parent).exists(), line


def test_the_default_models_licence_is_named_and_linked():
    for path in READMES:
        assert "[Gemma Terms of Use](https://ai.google.dev/gemma/terms)" in path.read_text()
