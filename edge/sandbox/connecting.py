"""Connect a bot to a person's account, disable the connection, disconnect it; return what the bots are told."""

from edge.sandbox.business import Connection, Recipients
from edge.sandbox.business_updates import connection_changed
from edge.sandbox.centres import MAIN
from edge.sandbox.faults import Refusal
from edge.sandbox.message_box import BotChange
from edge.sandbox.state import Account, SandboxState


def connect(
    state: SandboxState, person: Account, bot: Account, *, rights: frozenset[str], recipients: Recipients
) -> tuple[Connection, list[BotChange]]:
    """Connect the bot, or change its connection, which gives it a new id. A user has one bot. Raises Refusal."""
    if not bot.business:
        raise Refusal(400, "BOT_BUSINESS_MISSING")
    if recipients.empty:
        raise Refusal(400, "BUSINESS_RECIPIENTS_EMPTY")
    former = state.business.connections.get(person.id)
    changes = disable(state, person) if former and former.bot_id != bot.id else []
    connection = Connection(
        person_id=person.id,
        bot_id=bot.id,
        dc_id=state.business.data_centres.get(person.id, MAIN),
        date=state.now,
        rights=rights,
        recipients=recipients,
        existing=former.existing if former else frozenset(person.met),
    )
    state.business.connections[person.id] = connection
    return connection, [*changes, connection_changed(state, connection)]


def disconnect(state: SandboxState, person: Account, bot: Account) -> list[BotChange]:
    """Disconnect the bot. Raises Refusal if it is not connected."""
    connection = state.business.connections.get(person.id)
    if connection is None or connection.bot_id != bot.id:
        raise Refusal(400, "BUSINESS_BOT_MISSING")
    changes = disable(state, person)
    del state.business.connections[person.id]
    return changes


def disable(state: SandboxState, person: Account) -> list[BotChange]:
    """Disable the person's connection, as when a condition for it is no longer met. Nothing if it is disabled."""
    connection = state.business.connections[person.id]
    if connection.disabled:
        return []
    connection.disabled = True
    return [connection_changed(state, connection)]
