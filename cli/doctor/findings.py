"""The lines that the doctor prints, and notes about the parts that it can't examine from where it runs."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple


class Level(StrEnum):
    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line; of level WRONG, it also says how to fix the problem."""

    level: Level
    text: str

    def __str__(self) -> str:
        return f"{self.level:<5}  {self.text}"


def ok(text: str) -> Finding:
    return Finding(Level.OK, text)


def note(text: str) -> Finding:
    """Return a finding that needs no action."""
    return Finding(Level.NOTE, text)


def wrong(text: str) -> Finding:
    return Finding(Level.WRONG, text)


class ProductPart(NamedTuple):
    """`has`: what can be examined only where the part runs; `service`: its service in compose.yaml."""

    has: str
    service: str


PRODUCT_PARTS: Final = {
    "userbot": ProductPart("its settings and the Telegram session", "userbot"),
    "generate": ProductPart("its settings and the model", "model"),
    "bridge": ProductPart("its settings and RabbitMQ", "bridge"),
}
"""By the name in DOCTOR_PARTS, which is also the part's user on NATS."""


def notes_on_other_parts(parts: Collection[str], image: str) -> Iterator[Finding]:
    """Yield a note for each part that is not in `parts`; for the bridge only within an `image`, as each has its own."""
    for name, part in PRODUCT_PARTS.items():
        if name == "userbot" and "business" in parts:
            continue
        if name not in parts and (image or name != "bridge"):
            how = doctor_in_service(part.service) if image else f"`timokha doctor --parts {name}` where it runs does"
            yield note(f"{name}: {part.has} can't be seen from here; {how}")


def doctor_in_service(service: str) -> str:
    """Return the command that runs the doctor in a container, for a note."""
    return f"`docker compose run --rm --no-deps {service} doctor` does"
