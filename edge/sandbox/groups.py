"""Groups: basic groups, supergroups and channels (https://core.telegram.org/api/channel)."""

from dataclasses import dataclass, field

from edge.sandbox.message_box import MessageBox
from edge.sandbox.peers import CHANNEL_BASE, is_channel

FIRST_CHAT, FIRST_CHANNEL = 400_000_000, 1_050_000_000
"""Where the ids of basic groups and of channels start. Unmodified pyrogram refuses channels from 2**31 on."""
ID_STEP = 7919
GENERAL = 1
"""The topic that every forum has (https://core.telegram.org/api/forum#forum-topics)."""


@dataclass(slots=True)
class Topic:
    """A topic of a forum. `id` is the id of the service message that created it."""

    id: int
    title: str
    creator_id: int
    date: int
    closed: bool = False


@dataclass(slots=True)
class Group:
    """A basic group, a supergroup or a channel. `id` is negative, as in the Bot API.

    A supergroup and a channel have their messages in a `box` of their own, under the same ids for all members; those of
    a basic group (`box` is None) are in every member's box.
    `members` maps user ids to the date on which they joined. `removed` may not come back, `muted` may not write, both
    are user ids. `writable`: members may write, `plain`: they may write text. The creator may do everything.
    `slow_mode`: seconds between two messages of a member; `last_sent`: when each wrote, in Unix time.
    `read_inbox` maps user ids to the last message that they have read. `reactions`: reactions are allowed.
    """

    id: int
    title: str
    creator_id: int
    date: int
    username: str | None = None
    broadcast: bool = False
    forum: bool = False
    members: dict[int, int] = field(default_factory=dict)
    removed: set[int] = field(default_factory=set)
    muted: set[int] = field(default_factory=set)
    writable: bool = True
    plain: bool = True
    slow_mode: int = 0
    reactions: bool = True
    last_sent: dict[int, int] = field(default_factory=dict)
    read_inbox: dict[int, int] = field(default_factory=dict)
    topics: dict[int, Topic] = field(default_factory=dict)
    box: MessageBox | None = field(init=False)

    def __post_init__(self) -> None:
        self.box = MessageBox(self.id) if is_channel(self.id) else None

    def unread(self, user_id: int) -> int:
        """Return the number of a supergroup's messages that the member has not read."""
        read = self.read_inbox.get(user_id, 0)
        messages = self.box.messages.values() if self.box else ()
        return sum(message.id > read and message.sender_id != user_id for message in messages)


def new_id(number: int, *, channel: bool, moved: int) -> int:
    """Return the id of the group with this number. `moved` is added to it."""
    bare = (FIRST_CHANNEL if channel else FIRST_CHAT) + moved + number * ID_STEP
    return CHANNEL_BASE - bare if channel else -bare
