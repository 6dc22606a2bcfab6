"""Examine the Telegram session, and this machine's clock against Telegram's."""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from cli.doctor.findings import Finding, note, ok, wrong
from edge.business.settings import BusinessSettings
from edge.userbot.settings import UserbotSettings
from edge.userbot.telegram import session_file
from edge.userbot.telegram.session_file import SessionInUse, account_of, check_account, check_string
from events.errors import SettingsError, TransportUnreachable
from events.extras import install_command
from events.runtime.clock import Clock
from events.telegram_client import KURIGRAM, PYROGRAM, Client, installed_clients, mixed


def examine_session(settings: UserbotSettings) -> Iterator[Finding]:
    """Examine whether the userbot can start without a prompt; do not connect to Telegram."""
    yield from map(note, settings.without_effect)
    yield from _examine_client()
    try:
        if path := settings.session_file:
            yield _examine_file(path, settings)
        else:
            _check_account(check_string(settings.session_text), settings)
            yield ok("Telegram session: a session string")
    except SettingsError as error:
        yield wrong(f"Telegram session: {error}")


def examine_business(settings: BusinessSettings) -> Iterator[Finding]:
    """Examine whether `timokha business` can start."""
    yield from examine_session(settings)
    if find_spec("pyrogram") is None:
        return
    from edge.business.telegram.client import require_business  # noqa: PLC0415 - pyrogram may be missing

    try:
        require_business()
    except SettingsError as error:
        yield wrong(str(error))


def _examine_client() -> Iterator[Finding]:
    installed = installed_clients()
    if find_spec("pyrogram") is None:
        yield wrong(f"Telegram: pyrogram is not installed: {install_command('userbot')}")
    elif problem := mixed(installed):
        yield wrong(f"Telegram: {problem}")
    else:
        yield _name_client(installed)
        if find_spec("tgcrypto") is None:
            yield note(f"Telegram: without tgcrypto its encryption is slow: {install_command('speedups')}")


def _name_client(installed: Mapping[Client, str]) -> Finding:
    from edge.userbot.telegram.server import layer  # noqa: PLC0415 - pyrogram may be missing

    for client, version in installed.items():
        if version == client.tested:
            return ok(f"Telegram: {client.name} {version}, layer {layer()}")
    found = " ".join(f"{client.name} {version}" for client, version in installed.items()) or "an unknown client"
    tested = " or ".join(f"{client.name} {client.tested}" for client in (PYROGRAM, KURIGRAM))
    return note(f"Telegram: {found}, layer {layer()}; tested with {tested}: {install_command(PYROGRAM.extra)}")


def _examine_file(path: Path, settings: UserbotSettings) -> Finding:
    try:
        account, in_use = account_of(path), False
    except SessionInUse:
        account, in_use = None, True
    if path.is_file() and path.stat().st_mode & 0o077:
        return wrong(f"Telegram session: others may read {path}, the key to your account; run `chmod 600 {path}`")
    if in_use:
        return note(f"Telegram session: {path} is in use by a userbot now")
    _check_account(account, settings)
    if account is None:
        if settings.bot_token:
            return ok("Telegram session: none yet; the first start signs in with BOT_TOKEN")
        return wrong(f"Telegram session: there is none at {path}; run {session_file.sign_in_command()} once")
    return ok(f"Telegram session: {path}, readable by its owner only")


def _check_account(account: int | None, settings: UserbotSettings) -> None:
    check_account(account, settings.bot_token.get_secret_value() if settings.bot_token else "")


async def examine_clock(own: Clock) -> list[Finding]:
    """Compare the clock with that of the userbot's server, without signing in; nothing if its settings are bad."""
    if find_spec("pyrogram") is None:
        return []
    try:
        settings = UserbotSettings.read()
    except SettingsError:
        return []
    return [await _compare_clocks(settings, own)]


async def _compare_clocks(settings: UserbotSettings, own: Clock) -> Finding:
    from edge.userbot.telegram import server_time, time_query  # noqa: PLC0415 - likewise
    from edge.userbot.telegram.session import choose_server  # noqa: PLC0415 - pyrogram may be missing

    try:
        choose_server(settings)
        ahead = await time_query.clock_offset(own)
    except SettingsError as error:
        return wrong(f"Telegram: {error}")
    except TransportUnreachable as error:
        server = settings.telegram_server or time_query.default_server()
        return wrong(f"Telegram: {server} could not be reached ({error}); is this machine's network up?")
    if abs(ahead) > server_time.WORTH_LOGGING:
        how = server_time.describe_offset(ahead)
        return wrong(f"clock: this machine's is {how}; set it, e.g. with `timedatectl set-ntp true`")
    return ok("Telegram answers, and this machine's clock is right")
