"""Handlers: a person connects a bot to the account, changes what it may do, and disconnects it."""

from typing import Any

from edge.sandbox import connecting, render
from edge.sandbox.business import Connection, Recipients
from edge.sandbox.business_types import HAS_BUSINESS, RIGHTS, functions, types
from edge.sandbox.call import Call, Handler
from edge.sandbox.faults import Refusal
from edge.sandbox.tl import Bool, Objects, Result, TLObject, objects

KINDS = ("existing_chats", "new_chats", "contacts", "non_contacts", "exclude_selected")


def update_connected_bot(call: Call, query: Any) -> TLObject:
    bot = call.find(query.bot)
    if bot is None or not bot.bot:
        raise Refusal(400, "BOT_INVALID")
    if query.deleted:
        changes = connecting.disconnect(call.state, call.me, bot)
    else:
        _connection, changes = connecting.connect(
            call.state, call.me, bot, rights=_rights(query.rights), recipients=_recipients(call, query.recipients)
        )
    for change in changes:
        call.add_business_push(change)
    return render.updates(call.state, call.me, [], [bot.id])


def get_connected_bots(call: Call, _query: Any) -> TLObject:
    connection = call.state.business.connections.get(call.me.id)
    bots: Objects = [_connected_bot(connection)] if connection else []
    users = render.users(call.state, call.me, [connection.bot_id] if connection else [])
    answer: TLObject = types.account.ConnectedBots(connected_bots=bots, users=users)
    return answer


def toggle_paused(call: Call, query: Any) -> Result:
    """Pause the bot in one chat, or let it go on."""
    connection, peer = _own(call), call.peer(query.peer)
    (connection.paused.add if query.paused else connection.paused.discard)(peer.id)
    return Bool(True)


def disable_in_chat(call: Call, query: Any) -> Result:
    """Switch the bot off in one chat for good."""
    _own(call).removed.add(call.peer(query.peer).id)
    return Bool(True)


def _own(call: Call) -> Connection:
    if connection := call.state.business.connections.get(call.me.id):
        return connection
    raise Refusal(400, "BUSINESS_BOT_MISSING")


def _rights(rights: Any) -> frozenset[str]:
    return frozenset(right for right in RIGHTS if getattr(rights, right, None))


def _recipients(call: Call, given: Any) -> Recipients:
    return Recipients(
        **{kind: bool(getattr(given, kind)) for kind in KINDS},
        users=_ids(call, given.users),
        exclude_users=_ids(call, given.exclude_users),
    )


def _ids(call: Call, users: Objects | None) -> frozenset[int]:
    return frozenset(account.id for user in objects(users or ()) if (account := call.find(user)))


def _connected_bot(connection: Connection) -> Any:
    chosen = connection.recipients
    recipients = types.BusinessBotRecipients(
        **{kind: getattr(chosen, kind) or None for kind in KINDS},
        users=list(chosen.users) or None,
        exclude_users=list(chosen.exclude_users | connection.removed) or None,
    )
    rights = types.BusinessBotRights(**dict.fromkeys(connection.rights, True))
    return types.ConnectedBot(bot_id=connection.bot_id, recipients=recipients, rights=rights)


HANDLERS: dict[type[TLObject], Handler] = {}
if HAS_BUSINESS:
    HANDLERS = {
        functions.account.UpdateConnectedBot: update_connected_bot,
        functions.account.GetConnectedBots: get_connected_bots,
        functions.account.ToggleConnectedBotPaused: toggle_paused,
        functions.account.DisablePeerConnectedBot: disable_in_chat,
    }
