"""Business connections: which bot answers for whom (https://core.telegram.org/api/bots/connected-business-bots)."""

import secrets
from dataclasses import dataclass, field

MESSAGE_RIGHTS = frozenset({"reply", "read_messages", "delete_sent_messages", "delete_received_messages"})


@dataclass(frozen=True, slots=True)
class Recipients:
    """The private chats that a connection is for; the fields are those of Telegram's businessBotRecipients."""

    existing_chats: bool = False
    new_chats: bool = False
    contacts: bool = False
    non_contacts: bool = False
    exclude_selected: bool = False
    users: frozenset[int] = frozenset()
    exclude_users: frozenset[int] = frozenset()

    @property
    def empty(self) -> bool:
        """Whether nothing is selected."""
        kinds = (self.existing_chats, self.new_chats, self.contacts, self.non_contacts, self.exclude_selected)
        return not any(kinds) and not self.users

    def include(self, peer_id: int, *, existing: bool, contact: bool) -> bool:
        """Return whether the chat fits. `existing`: it was there before the connection."""
        by_age = self.existing_chats if existing else self.new_chats
        by_contact = self.contacts if contact else self.non_contacts
        selected = by_age or by_contact or peer_id in self.users
        return peer_id not in self.exclude_users and selected != self.exclude_selected


@dataclass(slots=True)
class Connection:
    """A person's connection to a bot. A change of `rights` or `recipients` makes another one, with another id.

    `rights` are names of businessBotRights. `existing` are the users with whom the person had a chat before, `paused`
    those in whose chats the bot is paused, and `removed` those in whose chats it is off for good.
    """

    person_id: int
    bot_id: int
    dc_id: int
    date: int
    rights: frozenset[str]
    recipients: Recipients
    existing: frozenset[int]
    disabled: bool = False
    paused: set[int] = field(default_factory=set)
    removed: set[int] = field(default_factory=set)
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    def covers(self, peer_id: int, *, contact: bool) -> bool:
        """Return whether the bot works in the chat with this user."""
        if peer_id == self.person_id or peer_id in self.paused or peer_id in self.removed:
            return False
        return self.recipients.include(peer_id, existing=peer_id in self.existing, contact=contact)


@dataclass(frozen=True, slots=True)
class Sent:
    """What a connected bot sent: the id in the person's message box, and the update's qts, 0 if it was not counted."""

    message_id: int
    qts: int


@dataclass(slots=True)
class BusinessState:
    """What the server remembers of Business connections.

    `connections` are the current ones, by person. `data_centres` has the persons whose account is not in the main data
    centre. `sent` maps (bot, person, random_id) to what was sent.
    """

    connections: dict[int, Connection] = field(default_factory=dict)
    data_centres: dict[int, int] = field(default_factory=dict)
    sent: dict[tuple[int, int, int], Sent] = field(default_factory=dict)

    def find(self, connection_id: str, bot_id: int) -> Connection | None:
        """Return the bot's current connection with this id."""
        found = (one for one in self.connections.values() if (one.id, one.bot_id) == (connection_id, bot_id))
        return next(found, None)
