"""The demo's chat with the owner's side: Saved Messages, and messages that the owner writes to the guest."""

from dataclasses import dataclass, field

from cli.demo.chat import DemoChat, is_open
from cli.demo.terminal import labelled, with_formatting
from edge.sandbox.message_box import StoredMessage
from edge.userbot.chat.record import ChatRecord

ORDER, BY_HAND = ">", ">>"
"""What the owner's lines start with: those to Saved Messages, those to the guest."""
HOW = (
    "you are the guest; a line that starts with > is the owner's, to Saved Messages: > /status, > /pause all, > + to"
    " send a draft, > - to drop it; with >> the owner writes to the guest"
)


@dataclass
class ChatWithOwner(DemoChat):
    """A demo's chat in which the owner writes too, as from another session of the account."""

    _written: set[int] = field(default_factory=set)
    """Ids of the owner's messages in the owner's chat."""
    _orders: set[int] = field(default_factory=set)
    """Those of them that are taken as orders, as records name them."""
    _saved: int = 0
    """The newest message in the owner's chat that is shown."""
    _owner_lines: int = 0
    """Lines that were shown of the owner's chat, and of what the owner wrote to the guest."""

    def is_question(self, text: str) -> bool:
        return not text.startswith(ORDER) and super().is_question(text)

    async def say(self, text: str) -> int:
        """Send `text` as the guest or the owner; return the id of the account's copy, 0 if there is nothing to send."""
        if not text.startswith(ORDER):
            return await super().say(text)
        words = text.lstrip(ORDER).strip()
        if not words:
            return 0
        return self._write_by_hand(words) if text.startswith(BY_HAND) else await self._order(words)

    async def refresh(self) -> ChatRecord:
        """Show new messages of both chats; return the guest's record as it was just before."""
        record = await super().refresh()
        for message in self.telegram.messages(self.owner, self._place):
            if message.id > self._saved:
                self._saved = message.id
                if message.id not in self._written:
                    self._owner_lines += 1
                    self.show(self._shown_to_owner(message))
        return record

    @property
    def _place(self) -> int:
        """Return with whom the owner's chat is: orders and drafts are there."""
        return self.owner

    def _shown_to_owner(self, message: StoredMessage) -> str:
        return labelled("saved> ", with_formatting(message.text, message.entities))

    def _as_the_edge_knows(self, sent: StoredMessage) -> int:
        """Return the id under which records name a message that the owner wrote in the owner's chat."""
        return sent.id

    def _as_the_owner_sees(self, message_id: int) -> int:
        """Return the owner's id of a message that records name `message_id`."""
        return message_id

    async def _order(self, text: str) -> int:
        """Write in the owner's chat. What is no command replies to the draft that waits, if there is one."""
        draft = 0 if text.startswith("/") else self._as_the_owner_sees(_waiting_draft(await self._own_record()))
        sent = self.telegram.send(self.owner, self._place, text, reply_to=draft or None)
        self._written.add(sent.id)
        known = self._as_the_edge_knows(sent)
        if draft or text.startswith("/"):
            self._orders.add(known)
        self.show(labelled("owner> ", text))
        return known

    def _write_by_hand(self, text: str) -> int:
        sent = self.telegram.send(self.owner, self.visitor, text)
        self._not_the_bots.add(self.telegram.messages(self.visitor, self.owner)[-1].id)
        self._owner_lines += 1
        self.show(labelled("owner>> ", text))
        return sent.id

    @property
    def _progress(self) -> tuple[int, ...]:
        return (*super()._progress, self._owner_lines)

    async def _is_settled(self, text: str, message_id: int) -> bool:
        before = await self._own_record()
        record = await self.refresh()
        after = await self._own_record()
        if not text.startswith(ORDER):
            return await super()._is_settled(text, message_id) and _is_at_rest(after)
        if message_id not in self._orders:
            return True
        settled = message_id in before.seen and not is_open(record) and _is_at_rest(before) and _is_at_rest(after)
        await self.refresh()
        return settled

    async def _own_record(self) -> ChatRecord:
        return await self.chats.load(str(self.owner))


def _waiting_draft(record: ChatRecord) -> int:
    """Return the id of the last message of the newest draft that waits, 0 if there is none."""
    return max((draft.message_ids[-1] for draft in record.drafts if draft.message_ids and not draft.closed), default=0)


def _is_at_rest(record: ChatRecord) -> bool:
    """Return whether nothing more is to be sent or deleted in Saved Messages."""
    shown = all(draft.shown or draft.closed for draft in record.drafts)
    return shown and not (record.orders or record.notices or record.withdrawn)
