"""What lies in a sandbox's chats and in the chat records, as lines of a history."""

from collections.abc import Iterable, Iterator

from edge.sandbox.message_box import StoredMessage
from edge.userbot.chat.record import ChatRecord
from edge.userbot.chat_tokens import NO_TOPIC
from tests.promises.lines.messages import Sent
from tests.promises.lines.stored import Record


def sent(
    account: str, chat: str, messages: Iterable[StoredMessage], about: dict[int, str], *, ahead: float = 0.0
) -> Iterator[Sent]:
    """`messages` are those from the account, `about` their requests by id. `ahead`: Unix time minus the history's."""
    for one in messages:
        edited = None if one.edited is None else one.edited - ahead
        yield Sent(account, chat, one.id, one.text, one.date - ahead, one.reply_to, edited, about.get(one.id, ""))


def topic_of(message: StoredMessage) -> int:
    """The topic that a message in a group is in."""
    return message.top_id or NO_TOPIC if message.in_topic else NO_TOPIC


def record_line(account: str, chat: str, record: ChatRecord | None) -> Record:
    """None: it can't be read."""
    if record is None:
        return Record(account, chat, is_readable=False)
    return Record(account, chat, rests=rests(record), seen=tuple(record.seen), open_drafts=open_drafts(record))


def rests(record: ChatRecord) -> bool:
    to_do = record.current or record.waiting or record.bursts or record.notices or record.erasing
    return not (to_do or record.orders or record.recalled or record.withdrawn)


def open_drafts(record: ChatRecord) -> int:
    """Those that are not over."""
    return sum(not one.closed for one in record.drafts)
