"""The documents say only what is true: links lead somewhere, and commands, targets, settings and paths exist."""

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import yaml

from cli.commands import COMMANDS, GROUPS
from docs import settings
from edge.userbot import phrases
from edge.userbot.chat.record import Current
from edge.userbot.settings import UserbotSettings
from events.telegram_client import KURIGRAM, PYROGRAM, installed_clients

ROOT = Path(__file__).parents[2]
MARKDOWN = [
    path
    for path in sorted(ROOT.rglob("*.md"))
    if not any(part.startswith(".") or part in {"build", "models"} for part in path.relative_to(ROOT).parts)
]
READMES = [ROOT / "README.md", ROOT / "README.ru.md"]
UNNAMED = {"Makefile", "Dockerfile", "run"}
MAKEFILE = (ROOT / "Makefile").read_text()
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
VARIABLE = re.compile(
    r"\b(?:API|BOT|BRIDGE|DEMO|DOCTOR|GENERATE|NATS|OTEL|RABBITMQ|SANDBOX|SETUP|TIMOKHA|TRACE|TRAINING|USERBOT)_[A-Z_]+\b"
)


TEXTS = [
    path
    for path in sorted(ROOT.rglob("*"))
    if path.is_file()
    and (path.suffix in {".md", ".py", ".sh", ".toml", ".yaml", ".yml", ".conf", ".ipynb"} or path.name in UNNAMED)
    and path != Path(__file__)
    and not {".git", ".venv", "build", "dist", "node_modules"} & set(path.relative_to(ROOT).parts)
]
FROM_A_REGISTRY = re.compile(r"pip3? install[^\n`]*?['\" ]timokha(?=[\['\" \n`,)]|$)", re.MULTILINE)
OUTSIDE = re.compile(
    r"\b(?:SPEC|DESIGN|FACTS|STYLE|SANDBOX)\.md\b|\bshared/|\b[Ii]ssues? #?\d+|\bthe (?:spec|brief|issue) says"
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


@pytest.mark.parametrize("path", MARKDOWN, ids=names(MARKDOWN))
def test_no_chapter_stands_twice(path):
    chapters = re.findall(r"^## (.+)$", CODE_BLOCK.sub("", path.read_text()), re.MULTILINE)
    assert sorted(chapters) == sorted(set(chapters))


@pytest.mark.parametrize(("place", "write"), [("docs/settings.md", settings.page), (".env.example", settings.example)])
def test_what_make_docs_writes_is_up_to_date(place, write):
    assert (ROOT / place).read_text() == write(), "run `make docs`"


@pytest.mark.parametrize("path", MARKDOWN, ids=names(MARKDOWN))
def test_every_setting_that_is_named_exists(path):
    of_others = {"BOT_ACCESS_FORBIDDEN", "BOT_METHOD_INVALID", "OTEL_EXPORTER_OTLP_HEADERS"}
    of_others |= {"RABBITMQ_DEFAULT_PASS", "RABBITMQ_HOME"}
    assert set(VARIABLE.findall(path.read_text())) <= settings.variables() | of_others


@pytest.mark.parametrize("path", MARKDOWN, ids=names(MARKDOWN))
def test_every_command_that_is_named_exists(path):
    for first, second in re.findall(r"(?:`|\$ |/|=original )timokha ([a-z]+)(?: ([a-z]+))?", path.read_text()):
        assert {first, f"{first} {second}"} & {*COMMANDS, *GROUPS}, f"timokha {first} {second}"


@pytest.mark.parametrize("path", MARKDOWN, ids=names(MARKDOWN))
def test_every_option_that_is_named_exists(path):
    for line in re.findall(r"\btimokha ([a-z]+[^`\n|]* --[^`\n|]*)", path.read_text()):
        words = line.split()
        command = COMMANDS.get(" ".join(words[:2])) or COMMANDS.get(words[0])
        named = set(re.findall(r"(?:^| )--(?:no-)?([a-z-]+)", line.partition(" # ")[0])) - {"help"}
        if command:
            assert named <= {name.replace("_", "-") for name in command.settings.model_fields}, line


def test_the_readme_gives_each_setting_its_default():
    rows = (ROOT / "README.md").read_text().split("## Settings")[1].split("\n## ")[0]
    defaults = dict(re.findall(r"^\| `(\w+)` \|.*\| `?([^`|]*)`? \|$", settings.page(), re.MULTILINE))
    wrong = []
    for names_, default in re.findall(r"^\| (`[^|]+) \|[^|]+\| ([^|]*?) ?\|$", rows, re.MULTILINE):
        variables = re.findall(r"`([A-Z_]+)`", names_)
        if re.match(r"`|\d+$", default):
            shown = re.findall(r"[^`, ]+,?(?=`|$)", default)
            wrong += [(name, value) for name, value in zip(variables, shown, strict=True) if defaults[name] != value]
    assert wrong == []


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


@pytest.mark.parametrize("text", ["pip install 'timokha[openai]'", "pip install timokha\n", 'pip install -U "timokha"'])
def test_installing_from_a_registry_is_recognised(text):
    assert FROM_A_REGISTRY.search(text)


def test_nothing_says_that_timokha_can_be_installed_from_a_registry():
    """There is no such package, and a stranger could make one."""
    assert not FROM_A_REGISTRY.search("pip install './dist/timokha-0.1.0-py3-none-any.whl[openai]'")
    assert [str(path) for path in TEXTS if FROM_A_REGISTRY.search(path.read_text())] == []


def test_nothing_refers_to_what_is_not_in_the_repository():
    assert OUTSIDE.search(f"as issue {7} wants")
    found = [(str(path), found[0]) for path in TEXTS if (found := OUTSIDE.search(path.read_text()))]
    assert found == []


@pytest.mark.parametrize("path", READMES, ids=names(READMES))
def test_the_commands_of_a_readme_run_as_they_stand(path):
    typed = re.findall(r"^ *\$ (.*\btimokha (?!.*timokha\.env).*)$", path.read_text(), re.MULTILINE)
    assert typed
    assert [command for command in typed if "bin/timokha " not in command] == []


def test_the_readmes_tell_what_rabbitmq_thinks_of_the_originals_queue():
    """It refuses it nowhere yet."""
    for path in READMES:
        text = " ".join(path.read_text().split())
        assert re.search(r"4\.3\.6 (takes it and warns|их принимает, но предупреждает)", text)


LAYERS = {PYROGRAM: "158", KURIGRAM: "229"}


@pytest.mark.parametrize("path", [*READMES, ROOT / "docs/decisions/telegram-client.md"], ids=lambda path: path.name)
def test_the_tested_clients_and_their_layers_are_named(path):
    text = path.read_text()
    assert f"| pyrogram {PYROGRAM.tested} | kurigram {KURIGRAM.tested} |" in text
    if path in READMES:
        assert f"| {LAYERS[PYROGRAM]} | {LAYERS[KURIGRAM]} |" in text


def test_the_installed_client_speaks_the_layer_that_is_named():
    if not (found := installed_clients()):
        pytest.skip("no client is installed")
    # In a process of its own: pyrogram wants an event loop while it is imported, and other tests have closed theirs.
    asked = [sys.executable, "-c", "from pyrogram.raw.all import layer; print(layer)"]
    layer = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    assert [layer] == [LAYERS[client] for client in found]


def test_the_readme_lists_every_command():
    text = (ROOT / "README.md").read_text()
    for name in COMMANDS:
        assert f"| `timokha {name}`" in text or f"| `timokha {name.split()[0]}`" in text, name


def test_every_path_in_the_readmes_tree_exists():
    tree = (ROOT / "README.md").read_text().split("## Where things are")[1].split("```text")[1].split("```")[0]
    parent = ROOT
    for line in tree.strip().splitlines():
        name = line.split()[0]
        if not line.startswith(" "):
            parent = ROOT / name
        assert (parent / name if line.startswith(" ") else parent).exists(), line


@pytest.mark.parametrize("path", READMES, ids=names(READMES))
def test_what_the_readme_shows_of_the_demo_is_what_the_bot_says(path):
    shown = path.read_text()
    prefix = UserbotSettings.model_fields["prefix"].default
    answers = (
        phrases.help_text("ru", prefix),
        phrases.context_length_set("ru", 4),
        phrases.deleted("ru", cancelled=False),
    )
    for answer in answers:
        first, *further = answer.splitlines()
        assert "\n".join([f"bot> {first}", *(f"     {line}".rstrip() for line in further)]) + "\n" in shown
    thinking = {phrases.thinking("ru", str(number)) for number in range(1000)}
    assert set(re.findall(r"^bot~ (.+)$", shown, re.MULTILINE)) <= thinking


def test_the_default_models_licence_is_named_and_linked():
    for path in READMES:
        assert "[Gemma Terms of Use](https://ai.google.dev/gemma/terms)" in path.read_text()


def test_every_path_in_contributing_exists():
    named = re.findall(r"`([\w.-]+/[\w./-]*|[\w.-]+\.(?:md|toml|yaml))`", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(named) > 50
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_diagram_of_a_question_has_the_states_of_its_record():
    """One that waits, or is being collected, is not in the record's `current` yet."""
    diagram = (ROOT / "docs" / "delivery.md").read_text().partition("stateDiagram-v2\n")[2].partition("```")[0]
    drawn = {state for ends in re.findall(r"(\S+) --> (\S+):", diagram) for state in ends}
    assert isinstance(Current.state, property)
    assert drawn == {"[*]", "waiting", "collecting", *get_args(get_type_hints(Current.state.fget)["return"])}


def test_the_index_lists_every_page_with_a_line():
    docs = ROOT / "docs"
    pages = {path.relative_to(docs).as_posix() for path in MARKDOWN if docs in path.parents} - {"README.md"}
    index = (docs / "README.md").read_text()
    said = re.findall(r"^\| \[(.+)\]\((.+\.md)\) \| .+ \|$|^- \[(.+)\]\((.+\.md)\)$", index, re.MULTILINE)
    titles = {row_place or place: row_title or title for row_title, row_place, title, place in said}
    assert len(said) == len(titles)
    assert titles.keys() == pages, "list the page in docs/README.md"
    assert titles == {page: (docs / page).read_text().partition("\n")[0].removeprefix("# ") for page in pages}
