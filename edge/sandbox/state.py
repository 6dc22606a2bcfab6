"""The whole state of the server. Pass it to a new server, and to clients it is as if there had been no restart."""

import itertools
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from edge.sandbox.business import BusinessState
from edge.sandbox.buttons import Press
from edge.sandbox.centres import DataCentres
from edge.sandbox.groups import Group, new_id
from edge.sandbox.keys import AuthKey, ServerKey
from edge.sandbox.live_drafts import LiveDrafts
from edge.sandbox.message_box import MessageBox
from edge.sandbox.password import Challenge
from events.runtime.clock import Clock, SystemClock

ID_RANGES = (6_100_000_000, 310_000_000)
"""Where user ids start: Telegram's newer accounts no longer fit into 32 bits."""
ID_STEP = 7919
TYPING_KEPT = 1000


@dataclass(slots=True)
class Account:
    """A user. `token` is a bot's secret, `password` a second factor; `blocked` and `met` are user ids.

    `contacts` are user ids with the first and last names by which this user knows them.
    `business`: a bot that people may connect to their accounts.
    `usernames` are the collectible ones, with or without an ordinary `username`.
    `met` are users with whom there was a message, in either direction.
    """

    id: int
    first_name: str
    last_name: str = ""
    username: str | None = None
    phone: str | None = None
    bot: bool = False
    lang_code: str | None = None
    token: str | None = None
    password: str | None = None
    usernames: tuple[str, ...] = ()
    business: bool = False
    contacts: dict[int, tuple[str, str]] = field(default_factory=dict)
    blocked: set[int] = field(default_factory=set)
    met: set[int] = field(default_factory=set)
    box: MessageBox = field(init=False)

    def __post_init__(self) -> None:
        self.box = MessageBox(self.id)

    @property
    def all_names(self) -> list[str]:
        """All usernames in lower case, for comparison."""
        return [name.lower() for name in (self.username, *self.usernames) if name]


@dataclass(frozen=True, slots=True)
class LoginCode:
    code: str
    hash: str


@dataclass(frozen=True, slots=True)
class Typing:
    """`user_id` showed `peer_id` an action: `typing`, `cancel`, `record_audio` …"""

    user_id: int
    peer_id: int
    action: str
    topic_id: int | None = None


@dataclass(slots=True)
class SandboxState:
    """What the server remembers.

    `logins` and `half_logins` (the password is missing) map auth key ids to user ids; the keys of `challenges` are
    auth key ids too. `sent` maps (sender, random_id) to the sender's message. `quiet` are sessions (auth key id,
    session id) that want no updates. `presses` maps query ids to presses of buttons that wait for the bot. Message ids
    and pts of users start after `begins_after`; `ids_moved` is added to the ids of users and groups. Login codes are
    `login_code`, else random; `code_sent` is called with the phone's digits and the code.
    """

    key: ServerKey = field(default_factory=ServerKey.generate)
    address: tuple[str, int] = ("127.0.0.1", 0)
    auth_keys: dict[int, AuthKey] = field(default_factory=dict)
    logins: dict[int, int] = field(default_factory=dict)
    half_logins: dict[int, int] = field(default_factory=dict)
    challenges: dict[int, Challenge] = field(default_factory=dict)
    accounts: dict[int, Account] = field(default_factory=dict)
    groups: dict[int, Group] = field(default_factory=dict)
    codes: dict[str, LoginCode] = field(default_factory=dict)
    sent: dict[tuple[int, int], int] = field(default_factory=dict)
    quiet: set[tuple[int, int]] = field(default_factory=set)
    typing: deque[Typing] = field(default_factory=lambda: deque(maxlen=TYPING_KEPT))
    message_keys: Iterator[int] = field(default_factory=itertools.count)
    live_drafts: LiveDrafts = field(default_factory=LiveDrafts)
    presses: dict[int, Press] = field(default_factory=dict)
    press_ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    business: BusinessState = field(default_factory=BusinessState)
    data_centres: DataCentres = field(default_factory=DataCentres)
    clock: Clock = field(default_factory=SystemClock)
    begins_after: int = 0
    ids_moved: int = 0
    login_code: str | None = None
    code_sent: Callable[[str, str], None] = lambda _phone, _code: None
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    @property
    def now(self) -> int:
        """Unix time in seconds, as Telegram dates everything."""
        return int(self.clock.now().timestamp())

    def add_account(
        self,
        *,
        first_name: str,
        last_name: str = "",
        username: str | None = None,
        phone: str | None = None,
        bot: bool = False,
        business: bool = False,
        lang_code: str | None = None,
        password: str | None = None,
    ) -> Account:
        """Add a user. Raises ValueError if the phone or the username is taken."""
        phone = normal_phone(phone) if phone else None
        if (phone and self.by_phone(phone)) or (username and self._is_taken(username)):
            raise ValueError(f"the phone or username of {first_name} is taken; choose another")
        number = len(self.accounts)
        id_ = ID_RANGES[number % len(ID_RANGES)] + self.ids_moved + number * ID_STEP
        token = f"{id_}:{secrets.token_urlsafe(26)}" if bot else None
        account = Account(
            id_, first_name, last_name, username, phone, bot, lang_code, token, password, business=business
        )
        account.box.begin_after(self.begins_after)
        self.accounts[id_] = account
        return account

    def add_group(
        self,
        title: str,
        creator: Account,
        *,
        channel: bool,
        broadcast: bool = False,
        forum: bool = False,
        username: str | None = None,
    ) -> Group:
        """Add a group with its creator as its only member. Raises ValueError if the username is taken."""
        if username and self._is_taken(username):
            raise ValueError(f"the username of {title} is taken; choose another")
        id_ = new_id(len(self.groups), channel=channel, moved=self.ids_moved)
        group = Group(id_, title, creator.id, self.now, username, broadcast, forum)
        group.members[creator.id] = self.now
        self.groups[id_] = group
        return group

    def box(self, owner_id: int) -> MessageBox:
        """Return the box of a user or a channel."""
        group = self.groups.get(owner_id)
        return group.box if group and group.box else self.accounts[owner_id].box

    def chat_box(self, viewer: Account, peer_id: int) -> MessageBox:
        """Return the box in which the viewer finds the messages of a chat."""
        group = self.groups.get(peer_id)
        return group.box if group and group.box else viewer.box

    def group_by_username(self, username: str) -> Group | None:
        name = username.lower().lstrip("@")
        return next(
            (group for group in self.groups.values() if group.username and group.username.lower() == name), None
        )

    def _is_taken(self, username: str) -> bool:
        return bool(self.by_username(username) or self.group_by_username(username))

    def by_phone(self, phone: str) -> Account | None:
        digits = normal_phone(phone)
        return next((account for account in self.accounts.values() if account.phone == digits), None)

    def by_username(self, username: str) -> Account | None:
        name = username.lower().lstrip("@")
        return next((account for account in self.accounts.values() if name in account.all_names), None)

    def access_hash(self, viewer_id: int, user_id: int) -> int:
        """Return the hash that the viewer needs to address the user; as on Telegram, each viewer's is different."""
        digest = sha256(self._secret + f"{viewer_id}:{user_id}".encode()).digest()
        return int.from_bytes(digest[:8], "little", signed=True)

    def send_code(self, phone: str) -> LoginCode:
        code = LoginCode(self.login_code or f"{secrets.randbelow(100_000):05}", secrets.token_hex(9))
        self.codes[normal_phone(phone)] = code
        self.code_sent(normal_phone(phone), code.code)
        return code


def normal_phone(phone: str) -> str:
    """Return a phone number as Telegram writes it: its digits."""
    return "".join(filter(str.isdigit, phone))
