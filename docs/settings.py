"""Writes docs/settings.md and .env.example from the settings classes: `make docs`."""

import re
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from cli.config.other_variables import EXAMPLES, OTHERS
from cli.config.sections import sections
from edge.userbot.current_rules import RULES
from edge.userbot.settings import UserbotSettings
from events.toml_file import TABLES

ROOT = Path(__file__).parents[1]

PAGE = """\
# Settings

Written by `make docs` from the settings classes. Each is an environment variable, a line in `.env`, a key in
[`timokha.toml`](#timokhatoml) and an option: `GENERATE_SLOTS=4` is `timokha generate --slots 4`. An option wins over
the environment, that over `.env`, and that over `timokha.toml`. An empty variable counts as unset. A bad or missing
value ends the command at once, with exit code 2 and one line that says what it takes.

A relative path begins in the directory that the command is started in, wherever it is written: an option, a variable,
a line of `.env`, which lies there, of `timokha.toml`, or of TRAINING_CONFIG. `~` is your home.

So does a name in `.env` that begins like one of these and is none of them, an unknown key in JSON or TOML, and a line
of `.env` or `timokha.toml` that can't be read. The message names the nearest right name and the line. The environment
belongs to others too: there unknown names are one warning in the log, `settings.unknown`, and what Kubernetes, NATS
and RabbitMQ read or set is let be. Of a name that `.env` sets twice the last value counts, with the warning
`settings.repeated`.

`timokha config show` tells each value and where it is written, without secrets; `timokha config check` says what is
wrong, of all commands or of one, and connects to nothing: exit code 0, or 2 with a line for each fault.

## timokha.toml

The file lies in the directory that a command is started in, or where `TIMOKHA_CONFIG` says. Variables that begin with
{tables} or USERBOT stand in a table of that name, all others at the top, in lower case and without `TIMOKHA_`. Values
have TOML's types: what other places write with commas is an array, and JSON is a table. What is different for one
person stands in `[contacts."@username"]` or, by id, `[contacts.123456]`: `persona`, `language`, `prefix`,
`max_new_tokens`, `live`, `approve` and `triggers`. An id wins over a username.

```toml
nats_url = ["nats://127.0.0.1:4222"]
log_level = "info"

[userbot]
prefix = "Тимоха,"
owner_pause = 600

[userbot.sampling]
temperature = 0.5

[contacts."@anna"]
language = "en"
max_new_tokens = 200

[contacts.123456]
prefix = "бот,"
live = true

[texts.en]
deleted = "All forgotten."
thinking = ["Hm…", "One moment…"]
```

A running `timokha userbot` or `timokha business` notices within two seconds that `timokha.toml` or `.env` has changed,
appeared or vanished. Then these settings apply to messages that come from now on, and `rules.changed` in the log names
those that have changed:
{rules}.
All others need a restart: `settings.need_restart` names them. A file that can't be read, or has an unknown name or a
bad value, changes nothing, and `rules.not_changed` says why; so does one that was emptied, because an editor may have
died while it wrote. Questions that were asked before keep the rules of that time.

In compose put the file into `./config`, which all our containers see, read-only. They run as user 10001, who must be
able to read it (`chmod 644 config/timokha.toml`); secrets are better kept in `.env`, because compose gives each
service only its own. What `compose.yaml` sets, such as the addresses of its services, wins over the file. A line of
`.env` is part of a container's environment there and needs `make up`; only the file changes rules without a restart.
In a pod or container of your own, mount the folder, not the file: a mounted file stays the old one when an editor or a
ConfigMap replaces it."""

NOTES = {
    "`timokha business`": """\
It takes the settings of `timokha userbot` too, which then apply to each person who has connected the bot. `BOT_TOKEN`
is needed, the session is `timokha-business.session` by default. `USERBOT_OWNER`, `USERBOT_MEMORY`,
`USERBOT_ANSWER_GROUPS`, `USERBOT_GROUPS` and `USERBOT_ANSWER_BOTS` have no effect: each person owns their account, and
a bot is shown only private chats with people.""",
}
"""By heading, what stands above its table."""

EXAMPLE = """\
# Written by `make docs`. Copy to .env and fill in what you need; a commented line shows the default, if there is one.
# docs/settings.md says more. Durations are in seconds."""


def variables() -> set[str]:
    """Everything that can be set."""
    return {field.variable for section in sections() for field in section.fields} | set(OTHERS)


def page() -> str:
    """docs/settings.md."""
    *tables, _ = (name.upper() for name in TABLES)
    rules = ", ".join(f"`{UserbotSettings.variable(name)}`" for name in sorted(RULES))
    lines = [PAGE.format(tables=", ".join(tables), rules=rules)]
    for section in sections():
        lines += ["", f"## {section.heading}", *(["", NOTES[section.heading]] if section.heading in NOTES else [])]
        lines += ["", "| variable | takes | default |", "| --- | --- | --- |"]
        for variable, _, field in section.fields:
            lines.append(f"| `{variable}` | {_cell(field.description or '')} | {_cell(_shown(field))} |")
    lines += ["", "## Read by others", "", "| variable | what it does |", "| --- | --- |"]
    lines += [f"| `{name}` | {text} |" for name, text in OTHERS.items()]
    return "\n".join(lines) + "\n"


def example() -> str:
    """.env.example."""
    lines = [EXAMPLE]
    for section in sections():
        lines += ["", f"# {section.heading}".replace("`", "")]
        for variable, _, field in section.fields:
            lines.append(f"# {field.description}")
            lines.append(f"{variable}=" if field.is_required() else f"# {variable}={_default(field)}")
    lines += ["", "# Read by others"]
    for name, text in OTHERS.items():
        lines += [f"# {text}".replace("`", ""), f"{name}={EXAMPLES[name]}" if name in EXAMPLES else f"# {name}="]
    return "\n".join(lines) + "\n"


def _shown(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    default = _default(field)
    return f"`{default}`" if default else ""


def _default(field: FieldInfo) -> str:
    """As it would be written; empty where it depends on the machine or on other settings, or is no single word."""
    if field.default_factory:
        return ""
    default = field.get_default()
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if isinstance(default, bool):
        return str(default).lower()
    seconds = getattr(default, "total_seconds", None)
    text = f"{seconds():g}" if seconds else str(default)
    is_path = isinstance(default, Path) and default.is_absolute()
    return "" if default in (None, ()) or is_path or re.search(r"[\s=]", text) else text


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


if __name__ == "__main__":
    (ROOT / "docs/settings.md").write_text(page(), encoding="utf-8")
    (ROOT / ".env.example").write_text(example(), encoding="utf-8")
