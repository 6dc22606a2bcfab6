"""The doctor's look at this machine's clock, which Telegram's is the measure of."""

from importlib.util import find_spec

from cli.doctor.finding import Finding, ok, wrong
from edge.userbot.settings import UserbotSettings
from events.errors import SettingsError, TransportUnreachable
from events.runtime.clock import Clock


async def clock(own: Clock) -> list[Finding]:
    """Ask the server that the userbot would connect to; nobody signs in. Without the userbot's settings: nothing."""
    if find_spec("pyrogram") is None:
        return []
    try:
        settings = UserbotSettings.read()
    except SettingsError:
        return []
    return [await _compared(settings, own)]


async def _compared(settings: UserbotSettings, own: Clock) -> Finding:
    from edge.userbot.telegram import asked_time, server_time  # noqa: PLC0415 - likewise
    from edge.userbot.telegram.session import choose_server  # noqa: PLC0415 - pyrogram may be missing

    try:
        choose_server(settings)
        ahead = await asked_time.ahead(own)
    except SettingsError as error:
        return wrong(f"Telegram: {error}")
    except TransportUnreachable as error:
        server = settings.telegram_server or asked_time.address()
        return wrong(f"Telegram: {server} could not be reached ({error}); is this machine's network up?")
    if abs(ahead) > server_time.WORTH_SAYING:
        how = server_time.describe_offset(ahead)
        return wrong(f"clock: this machine's is {how}; set it, e.g. with `timedatectl set-ntp true`")
    return ok("Telegram answers, and this machine's clock is right")
