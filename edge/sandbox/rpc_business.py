"""Handlers: what a bot does in the name of a person who has connected it, and asking about a connection."""

from dataclasses import dataclass
from typing import Any

from edge.sandbox import business_updates, render, rpc_messages
from edge.sandbox.business import Connection, Sent
from edge.sandbox.business_types import HAS_BUSINESS, functions
from edge.sandbox.call import Call, Handler
from edge.sandbox.faults import Refusal
from edge.sandbox.message_box import BotChange, BoxEvent, New
from edge.sandbox.state import Account
from edge.sandbox.tl import Objects, Result, TLObject

ANSWERABLE = 24 * 3600
"""Seconds after a user's message in which the bot may write to them (https://core.telegram.org/bots/api#businessbotrights)."""


@dataclass(slots=True, kw_only=True)
class CallForPerson(Call):
    """A call of a bot in a person's name: `me` is the person, but peers are addressed as the bot knows them."""

    bots_call: Call
    connection: Connection
    changes: list[BotChange]
    """What the call has changed in the person's chats."""

    @property
    def me(self) -> Account:
        return self.state.accounts[self.connection.person_id]

    def find(self, peer: TLObject) -> Account | None:
        """Return the account of an InputPeer. Unless `Faults.needs_hashes`, 0 is a hash for whom the person has met."""
        found = self.bots_call.find(peer)
        if found is None and not self.faults.needs_hashes and not getattr(peer, "access_hash", None):
            user_id = getattr(peer, "user_id", None)
            found = self.state.accounts.get(user_id) if user_id in self.me.met else None
        return None if found is self.bots_call.me else found

    def add_pushes(self, events: list[BoxEvent]) -> None:
        """Queue the updates; mark the person's new messages as the bot's."""
        for event in events:
            if event.owner_id != self.connection.person_id:
                Call.add_pushes(self, [event])
            else:
                self._add_own(event)

    def _add_own(self, event: BoxEvent) -> None:
        if isinstance(event.change, New):
            self.me.box.messages[event.change.message_id].via_business_bot = self.connection.bot_id
        self.add_box_push(event)
        echo = self.faults.echo_business
        changes = business_updates.noticed(self.state, event, counted=echo)
        self.changes += changes
        for change in changes if echo else ():
            self.add_business_push(change)


def invoke(call: Call, query: Any) -> Result:
    """Carry out a query in the name of the person with this connection. Raises Refusal."""
    inner = query.query
    if not call.me.bot or type(inner) not in ALLOWED:
        raise Refusal(400, "BUSINESS_CONNECTION_NOT_ALLOWED")
    connection = call.state.business.find(query.connection_id, call.me.id)
    if connection is None or connection.disabled:
        raise Refusal(400, "BUSINESS_CONNECTION_INVALID")
    if connection.dc_id != call.state.data_centres.of(call.auth_key_id):
        raise Refusal(400, "DC_ID_INVALID")  # our assumption: Telegram does not document this refusal
    for_person = CallForPerson(
        call.state, call.faults, call.auth_key_id, call.pushes, bots_call=call, connection=connection, changes=[]
    )
    handler: Any = ALLOWED[type(inner)]
    result: Result = handler(for_person, inner)
    return result


def get_connection(call: Call, query: Any) -> TLObject:
    """Return the connection as an update that is not counted. Raises Refusal."""
    if not call.me.bot:
        raise Refusal(400, "USER_BOT_REQUIRED")
    connection = call.state.business.find(query.connection_id, call.me.id)
    if connection is None:
        raise Refusal(400, "CONNECTION_ID_INVALID")
    told = business_updates.connected(connection, qts=0)
    return render.updates(call.state, call.me, [told], [connection.person_id])


def send_message(call: CallForPerson, query: Any) -> TLObject:
    """Send a message. A random_id that was used before gives that message again, as the one update of the result."""
    peer = _check(call, query.peer, "reply")
    key = call.connection.bot_id, call.me.id, query.random_id
    if sent := call.state.business.sent.get(key):
        return _repeat(call, peer, sent)
    rpc_messages.send_message(call, query)
    message_id = call.state.sent.pop((call.me.id, query.random_id))
    call.state.business.sent[key] = Sent(message_id, call.changes[0].qts)
    return _result(call, peer, [change.update for change in call.changes])


def edit_message(call: CallForPerson, query: Any) -> TLObject:
    """Edit a message. The result has it in the update that `send_message` gives, as TDLib insists on."""
    peer = _check(call, query.peer, "reply")
    rpc_messages.edit_message(call, query)
    [change] = call.changes
    edited = call.me.box.messages[query.id]
    return _result(call, peer, [business_updates.new_message(call.connection, call.me, edited, change.qts)])


def delete_messages(call: CallForPerson, query: Any) -> TLObject:
    """Delete messages of any covered chats: those of the person, or of others too, as the rights say."""
    for message in filter(None, map(call.me.box.messages.get, query.id)):
        right = "delete_sent_messages" if message.via_business_bot else "delete_received_messages"
        _check_right(call, right)
        if not business_updates.covers(call.state, call.connection, message.peer_id):
            raise Refusal(400, "BUSINESS_PEER_INVALID")
    return rpc_messages.delete_messages(call, query)


def read_history(call: CallForPerson, query: Any) -> TLObject:
    _check(call, query.peer, "read_messages")
    return rpc_messages.read_history(call, query)


def set_typing(call: CallForPerson, query: Any) -> Result:
    """Show that the person is typing, or what the bot has written so far."""
    _check(call, query.peer, "reply")
    return rpc_messages.set_typing(call, query)


def _check(call: CallForPerson, input_peer: TLObject, right: str) -> Account:
    """Return the user whose chat the call is about. Raises Refusal if the bot may not do this there, or not now."""
    peer = call.peer(input_peer)
    _check_right(call, right)
    if not business_updates.covers(call.state, call.connection, peer.id):
        raise Refusal(400, "BUSINESS_PEER_INVALID")
    since = call.state.now - ANSWERABLE
    if not any(not message.out and message.date > since for message in call.me.box.chat(peer.id)):
        raise Refusal(400, call.faults.silent_chat)
    return peer


def _check_right(call: CallForPerson, right: str) -> None:
    if right not in call.connection.rights:
        raise Refusal(403, "BOT_ACCESS_FORBIDDEN")


def _repeat(call: CallForPerson, peer: Account, sent: Sent) -> TLObject:
    stored = call.me.box.messages.get(sent.message_id)
    if call.faults.refuse_repeats or stored is None:
        raise Refusal(500, "RANDOM_ID_DUPLICATE")
    return _result(call, peer, [business_updates.new_message(call.connection, call.me, stored, sent.qts)])


def _result(call: CallForPerson, peer: Account, parts: Objects) -> TLObject:
    return render.updates(call.state, call.bots_call.me, parts, [call.me.id, peer.id])


ALLOWED = {
    functions.messages.SendMessage: send_message,
    functions.messages.EditMessage: edit_message,
    functions.messages.DeleteMessages: delete_messages,
    functions.messages.ReadHistory: read_history,
    functions.messages.SetTyping: set_typing,
}
"""What a bot may call in a person's name, among what the sandbox has."""
HANDLERS: dict[type[TLObject], Handler] = {}
if HAS_BUSINESS:
    HANDLERS = {
        functions.InvokeWithBusinessConnection: invoke,
        functions.account.GetBotBusinessConnection: get_connection,
    }
