"""Dispatch a client's query to its handler."""

import logging
from dataclasses import dataclass

from edge.sandbox import (
    rpc_auth,
    rpc_business,
    rpc_buttons,
    rpc_centres,
    rpc_channels,
    rpc_chats,
    rpc_connected_bots,
    rpc_contacts,
    rpc_dialogs,
    rpc_history,
    rpc_messages,
    rpc_reactions,
    rpc_topics,
    rpc_updates,
    rpc_users,
)
from edge.sandbox.buttons import Press
from edge.sandbox.call import Call, Handler
from edge.sandbox.faults import Refusal
from edge.sandbox.tl import Result, TLObject, functions, method_name

log = logging.getLogger(__name__)

HANDLERS: dict[type[TLObject], Handler] = {
    **rpc_auth.HANDLERS,
    **rpc_users.HANDLERS,
    **rpc_contacts.HANDLERS,
    **rpc_messages.HANDLERS,
    **rpc_buttons.HANDLERS,
    **rpc_history.HANDLERS,
    **rpc_dialogs.HANDLERS,
    **rpc_chats.HANDLERS,
    **rpc_channels.HANDLERS,
    **rpc_topics.HANDLERS,
    **rpc_reactions.HANDLERS,
    **rpc_updates.HANDLERS,
    **rpc_centres.HANDLERS,
    **rpc_business.HANDLERS,
    **rpc_connected_bots.HANDLERS,
}
FOR_BOTS = {
    *rpc_business.HANDLERS,
    functions.auth.ExportAuthorization,
    functions.auth.ImportAuthorization,
    functions.auth.LogOut,
    functions.channels.DeleteMessages,
    functions.channels.GetChannels,
    functions.channels.GetFullChannel,
    functions.channels.GetMessages,
    functions.contacts.ResolveUsername,
    functions.help.GetConfig,
    functions.messages.DeleteMessages,
    functions.messages.EditMessage,
    functions.messages.GetMessages,
    functions.messages.GetChats,
    functions.messages.GetFullChat,
    functions.messages.SendMessage,
    functions.messages.SendReaction,
    functions.messages.SetBotCallbackAnswer,
    functions.messages.SetTyping,
    functions.updates.GetChannelDifference,
    functions.updates.GetDifference,
    functions.updates.GetState,
    functions.users.GetFullUser,
    functions.users.GetUsers,
}
"""What Telegram lets bots call, as the page of each method says: "Both users and bots can use this method"."""
WRAPPERS = (
    functions.InvokeWithLayer,
    functions.InitConnection,
    functions.InvokeWithoutUpdates,
    functions.InvokeAfterMsg,
    functions.InvokeAfterMsgs,
)


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """A query without its wrappers. `opens`: it introduced the client. `quiet`: the client wants no updates."""

    query: TLObject
    opens: bool
    quiet: bool


def unwrap(query: TLObject) -> Unwrapped:
    seen = set()
    while isinstance(query, WRAPPERS):
        seen.add(type(query))
        query = query.query
    return Unwrapped(query, functions.InitConnection in seen, functions.InvokeWithoutUpdates in seen)


def answer(call: Call, query: TLObject) -> Result | Press:
    """Carry out a client's query and return the result. Raises Refusal, which becomes an RPC error.

    A press of a button gets its result later.
    """
    if call.is_bot and type(query) not in FOR_BOTS:
        raise Refusal(400, "BOT_METHOD_INVALID")
    handler = HANDLERS.get(type(query))
    if handler is None:
        log.warning("the sandbox has no %s; add a handler if a client needs it", method_name(query))
        raise Refusal(400, "INPUT_METHOD_INVALID")
    call.faults.raise_planned(call.user_id, method_name(query), call.peer_id(query))
    return handler(call, query)
