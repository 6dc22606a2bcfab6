"""What the doctor can't see from where it runs, and where to ask it."""

from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from cli.doctor.finding import Finding, note


class Part(NamedTuple):
    """`has` is what only its own place shows, `service` the one of compose.yaml that sees all of it."""

    has: str
    service: str


PARTS: Final = {
    "userbot": Part("its settings and the Telegram session", "userbot"),
    "generate": Part("its settings and the model", "model"),
    "bridge": Part("its settings and RabbitMQ", "bridge"),
}
"""By the name in DOCTOR_PARTS, which is the user on NATS as well."""


def elsewhere(parts: Collection[str], image: str) -> Iterator[Finding]:
    """One note for each part that is not among `parts`; in an `image` the bridge's too, as each has its own."""
    for name, part in PARTS.items():
        if name not in parts and (image or name != "bridge"):
            how = asked_of(part.service) if image else f"`timokha doctor --parts {name}` where it runs does"
            yield note(f"{name}: {part.has} can't be seen from here; {how}")


def asked_of(service: str) -> str:
    """How to ask the doctor in a container."""
    return f"`docker compose run --rm --no-deps {service} doctor` does"
