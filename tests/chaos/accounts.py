"""The storm's NATS: one for everybody, or with an account for each process as deploy/ ships it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from pydantic import SecretStr

from cli.demo.nats_server import EmbeddedServer
from events.jetstream.addresses import ANONYMOUS, Access
from events.jetstream.connection import connect
from events.jetstream.topology import Topology
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying
from events.subjects import RABBITMQ_ACCOUNT
from tests.chaos.shipped_nats import ShippedNats

STORM = "storm"
"""The storm's own user, beside `setup` in the account of the streams."""
PLACE = "    users: [\n      {\n        # `timokha setup`"


@dataclass(frozen=True)
class Nats:
    """A server; `access` is the storm's, and may do everything."""

    server: EmbeddedServer
    access: Access = ANONYMOUS
    passwords: Mapping[str, str] = field(default_factory=dict)

    def settings(self, process: str) -> dict[str, str]:
        """What lets a process in."""
        password = self.passwords.get(process)
        return {"NATS_USER": process, "NATS_PASSWORD": password} if password else {}


@asynccontextmanager
async def running(directory: Path, *, accounts: bool) -> AsyncIterator[Nats]:
    """With `accounts` everything is set up, for no process may do that."""
    nats = _with_accounts(directory) if accounts else Nats(EmbeddedServer(directory))
    async with nats.server:
        if accounts:
            async with connect(nats.server.url, name="setup", access=nats.access) as js:
                await Topology(js, retrying=Retrying(SystemClock(), Random())).ensure_all([RABBITMQ_ACCOUNT])
        yield nats


def _with_accounts(directory: Path) -> Nats:
    shipped = ShippedNats()
    passwords = shipped.passwords()
    configured = shipped.configured(
        "nats.conf", {PLACE: PLACE.replace("[", f"[{{ user: {STORM}, password: {STORM} }}")}
    )
    server = EmbeddedServer(directory, configured=configured, environment=shipped.environment(passwords))
    return Nats(server, Access(user=STORM, password=SecretStr(STORM)), passwords)
