"""What `timokha business` needs of the Telegram client that is installed."""

from typing import Any

from pyrogram import raw

from edge.business.connection import Connection
from edge.business.telegram.updates import read_connection
from edge.userbot.driving.messenger import Undeliverable, UnknownAnswer
from edge.userbot.telegram.api import TelegramApi
from events.errors import SettingsError
from events.extras import install_command

types: Any = raw.types
functions: Any = raw.functions


def require_business() -> None:
    """Raise SettingsError if the installed client does not know business connections."""
    if not hasattr(types, "UpdateBotBusinessConnect"):
        raise SettingsError(f"this client does not know business connections: {install_command('kurigram')}")


async def ask_for_connection(api: TelegramApi, connection_id: str) -> Connection:
    """Return a connection that was made before the bot signed in. Raises MessengerError or Undeliverable."""
    found = await api.invoke(functions.account.GetBotBusinessConnection(connection_id=connection_id))
    for update in getattr(found, "updates", ()):
        if isinstance(update, types.UpdateBotBusinessConnect):
            return read_connection(update.connection)
    if getattr(found, "updates", None) == []:
        raise Undeliverable(f"Telegram does not tell the connection {connection_id}")
    raise UnknownAnswer(f"Telegram gave {type(found).__name__} for a connection; trying again")
