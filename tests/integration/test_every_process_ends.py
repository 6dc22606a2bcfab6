"""Each command that runs until it is stopped ends at SIGTERM: with everything up, and with any server gone."""

import asyncio
import os
import signal

import pytest

from edge.sandbox.server import Sandbox
from edge.sandbox.visitor import API_HASH, API_ID, signed_in_session

PHONE = "+79990000000"
GRACE = "2"
WITHIN = 45
"""Seconds, several times what it takes; the watchdog of a process that hangs says so in its log long before."""
GOES_WRONG = ("process.forced", "Traceback")

COMMANDS = {
    "userbot": ("userbot", {}),
    "generate on jetstream": ("generate", {"GENERATE_TRIGGER": "jetstream"}),
    "generate on rabbitmq": ("generate", {"GENERATE_TRIGGER": "rabbitmq"}),
    "bridge out": ("bridge", {"BRIDGE_DIRECTION": "out"}),
    "bridge in": ("bridge", {"BRIDGE_DIRECTION": "in"}),
    "bridge both": ("bridge", {"BRIDGE_DIRECTION": "both", "BRIDGE_IN_QUEUE": "ours", "BRIDGE_OUT_QUEUE": "theirs"}),
}
NEED = {
    "nats": [name for name in COMMANDS if name != "generate on rabbitmq"],
    "rabbitmq": [name for name in COMMANDS if "rabbitmq" in name or "bridge" in name],
    "telegram": ["userbot"],
}


@pytest.fixture
async def telegram(tmp_path):
    async with Sandbox() as telegram:
        telegram.add_user(first_name="Тимоха", phone=PHONE)
        await signed_in_session(telegram, PHONE, session=tmp_path / "owner.session")
        (tmp_path / "telegram.pem").write_text(telegram.public_key_pem)
        yield telegram


@pytest.fixture
async def processes(telegram, fragile_world, tmp_path):
    """All of them, running."""
    settings = {
        "API_ID": str(API_ID),
        "API_HASH": API_HASH,
        "BOT_TOKEN": "",
        "USERBOT_SESSION": str(tmp_path / "owner.session"),
        "USERBOT_TELEGRAM_SERVER": telegram.address,
        "USERBOT_TELEGRAM_KEY": str(tmp_path / "telegram.pem"),
        "GENERATE_GRACE": GRACE,
        "BRIDGE_GRACE": GRACE,
    }
    starting = (fragile_world.start(name, **{**settings, **own}) for name, own in COMMANDS.values())
    return dict(zip(COMMANDS, await asyncio.gather(*starting), strict=True))


async def ends(process, log) -> str:
    """How it ends at SIGTERM, and what it should not have said."""
    os.kill(process.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(WITHIN):
            how = str(await process.ended())
    except TimeoutError:
        return f"alive after {WITHIN} s"
    said = [word for word in GOES_WRONG if word in log(process)]
    return ", ".join(["exit code 0" if "exit code 0" in how else how, *said])


@pytest.fixture
async def without(telegram, nats_server, own_rabbitmq, processes, wait_for_log):
    """`await without(server)`: it is gone, and everybody has noticed. NATS is back in the end."""
    gone = {"nats": nats_server.kill, "rabbitmq": own_rabbitmq.kill, "telegram": telegram.refuse_connections}

    async def take(server: str) -> None:
        await gone[server]()
        for name in NEED[server]:
            await wait_for_log(processes[name], f"{server}.disconnected")
        took.append(server)

    took: list[str] = []
    yield take
    if "nats" in took:
        await nats_server.start()  # the world's own connection is closed after this


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "gone", [None, "nats", *(pytest.param(name, marks=pytest.mark.slow) for name in ("rabbitmq", "telegram"))]
)
async def test_every_process_ends_at_sigterm(processes, without, said, gone) -> None:
    if gone:
        await without(gone)
    found = await asyncio.gather(*(ends(process, said) for process in processes.values()))
    assert dict(zip(processes, found, strict=True)) == dict.fromkeys(processes, "exit code 0")
