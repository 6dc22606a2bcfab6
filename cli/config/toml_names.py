"""Check the names in `timokha.toml`: each is a setting of some command, at its place."""

import re
from collections.abc import Iterable, Mapping

from cli.config.other_variables import TO_LIBRARIES
from cli.config.sections import sections
from events.names import did_you_mean, nearest
from events.toml_file import TABLES, Place, title

MAX_SHOWN = 60
LISTED = " (`timokha config show` lists what there is)"


def unknown_in_toml(written: Mapping[Place, object], others: Iterable[str]) -> list[str]:
    """Return a message for each name in the file that no setting has. `others`: variables that are no settings."""
    known = {Place.of(field.variable) for section in sections() for field in section.fields}
    elsewhere = {Place.of(name): name for name in others}
    return [
        f"{title()}: {_problem(place, value, known, elsewhere)}"
        for place, value in written.items()
        if place not in known and not elsewhere.get(place, "").startswith(TO_LIBRARIES)
    ]


def _problem(place: Place, value: object, known: Iterable[Place], elsewhere: Mapping[Place, str]) -> str:
    if place in elsewhere:
        return f"{place} has no effect here; set {elsewhere[place]} in .env or the environment"
    if not place.table and isinstance(value, dict):
        table = nearest(place.key, {*TABLES, "contacts", "texts"})
        return f"there is no table {_shown(place)}{did_you_mean(table) or LISTED}"
    if place.key in TABLES and not place.table:
        return f"{place} is a table; write its settings below [{place}]"
    # With an underscore for the dot a wrong table is like a wrong prefix of a variable.
    by_name = {_plain(str(one)): str(one) for one in known}
    meant = nearest(_plain(str(place)), by_name)
    return f"there is no {_shown(place)}{did_you_mean(by_name[meant]) if meant else LISTED}"


def _plain(name: str) -> str:
    return re.sub(r"\W", "_", name).lower()


def _shown(place: Place) -> str:
    text = str(place)
    return text if text.isprintable() and len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]!r}…"
