"""What goes wrong between Telegram and one account: it refuses for good, or gives a client nothing to go on from.

The blows of `edge_blows.py`, under their names with `edge_` before them.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

from edge.business.connections import KEY
from edge.sandbox.faults import SEND
from edge.sandbox.live_drafts import METHOD as SHOW_LIVE_DRAFT
from edge.userbot.telegram.faults import PEER_FLOOD
from events import subjects
from tests.promises.texts import FAILURES
from tests.simulation.broken_records import BrokenRecords
from tests.simulation.connections import process_of
from tests.simulation.forged_replies import ForgedReplies
from tests.simulation.people import GREETING, People
from tests.simulation.registers import STREAM, Registers
from tests.simulation.world import World

TIMES = 3
"""How often something is refused, at most."""
BLOCKED = 8.0
"""Seconds that a user blocks the account, at most; likewise:"""
REPEATS_REFUSED = 20.0
DOWN = 5.0
FAR = 1000
"""Changes of which there are not so many in a whole seed."""
EDIT, LOOK, LOOK_OF_BOT = "messages.EditMessage", "messages.GetHistory", "messages.GetMessages"
DELETE, TYPE, REACT = "messages.DeleteMessages", "messages.SetTyping", "messages.SendReaction"
DIFFERENCE, STATE = "updates.GetDifference", "updates.GetState"
SEND_REFUSALS = (
    (400, "USER_IS_BLOCKED"),
    (400, "INPUT_USER_DEACTIVATED"),
    (403, "USER_PRIVACY_RESTRICTED"),
    (406, "PRIVACY_PREMIUM_REQUIRED"),
)
"""None of those that forbid writing in a group: it would be left alone for an hour."""
REPLY_REFUSALS = ("REPLY_MESSAGE_ID_INVALID", "REPLY_TO_INVALID", "MESSAGE_ID_INVALID")
EDIT_REFUSALS = (
    (400, "MESSAGE_ID_INVALID"),
    (400, "MESSAGE_EDIT_TIME_EXPIRED"),
    (403, "MESSAGE_AUTHOR_REQUIRED"),
)
STATE_REFUSALS = ("PERSISTENT_TIMESTAMP_INVALID", "PERSISTENT_TIMESTAMP_OUTDATED", "DATE_EMPTY")
DRAFT_REFUSALS = ("BUSINESS_CONNECTION_NOT_ALLOWED", "ENTITY_BOUNDS_INVALID")
SIGN_IN = "auth.ImportAuthorization"
CENTRE_REFUSALS = ((400, "AUTH_BYTES_INVALID"), (401, "AUTH_KEY_UNREGISTERED"), (500, "RPC_CALL_FAIL"))
KNOWN_AGAIN = 4.0
"""Seconds until a person whose connection was lost changes it, of which the bot hears."""
UNKNOWN = (300, "NOT_IN_ANY_LIST")
"""An error of which the product knows nothing."""


@dataclass
class EdgeFaults:
    """Strikes the blows that concern one account."""

    world: World
    people: People
    registers: Registers
    crash: Callable[[str, float], None] = field(init=False)
    """Crashes a process for so many seconds."""
    records: BrokenRecords = field(init=False)
    replies: ForgedReplies = field(init=False)
    _refused: Counter[int] = field(default_factory=Counter)
    """By who calls Telegram."""
    _blocked: set[tuple[str, int]] = field(default_factory=set)
    """Edges, and users who have blocked their account."""

    def __post_init__(self) -> None:
        self.records = BrokenRecords(self.world, self.people, self.registers)
        self.replies = ForgedReplies(self.world, self.people)

    def refused(self, edge: str) -> int:
        """Return how many messages Telegram has refused for good, at most: one for each question of who blocks it."""
        blocking = (one for one in self.people.asked if (one.edge, one.user) in self._blocked)
        return self._refused[self._caller(edge)] + sum(one.edge == edge for one in blocking)

    def strike(self, what: str, whom: str, size: float) -> None:
        """`size` also decides by chance what exactly happens, so that it does in a smaller plan as well."""
        getattr(self, f"_{what.removeprefix('edge_')}")(whom, size, Random(f"{what} {whom} {size}"))

    # --- refused for good

    def refuse_as_spam(self, whom: str) -> None:
        self._refused[self._caller(whom)] += 1
        self._refuse(whom, 400, PEER_FLOOD, method=SEND)

    def _send_refused(self, whom: str, size: float, chance: Random) -> None:
        times = 1 + int(size * TIMES)
        self._refused[self._caller(whom)] += times
        self._refuse(whom, *chance.choice(SEND_REFUSALS), method=SEND, times=times)

    def _user_blocks(self, whom: str, size: float, chance: Random) -> None:
        """All that is sent to a user is refused for a while."""
        users = [user for number, user in enumerate(self.people.users) if self.people.edge_of(number) == whom]
        user, telegram = chance.choice(users), self.world.telegram
        self._blocked.add((whom, user.id))
        telegram.block(user.id, self._account(whom))
        unblock = partial(telegram.block, user.id, self._account(whom), blocked=False)
        self.world.loop.call_later(size * BLOCKED, unblock)

    def _reply_gone(self, whom: str, _: float, chance: Random) -> None:
        """Of two that wait, the second would refuse the same message without the reply."""
        if not self.world.telegram.faults.refuses(self._caller(whom), *REPLY_REFUSALS):
            self._refuse(whom, 400, chance.choice(REPLY_REFUSALS), method=SEND)

    def _edit_refused(self, whom: str, size: float, chance: Random) -> None:
        self._refuse(whom, *chance.choice(EDIT_REFUSALS), method=EDIT, times=1 + int(size * TIMES))

    def _line_deleted(self, whom: str, _: float, chance: Random) -> None:
        """A user deletes the last message of the account for both, as a thinking line may be, but no outcome."""
        user = chance.choice(self.people.users)
        got = [m for m in self.world.telegram.messages(user.id, self._account(whom)) if not m.out]
        if not got or got[-1].text == GREETING:  # or it would be another who wrote first
            return
        if got[-1].text not in FAILURES and not any(one.text in got[-1].text for one in self.people.asked):
            self.world.telegram.delete(user.id, got[-1].id)

    def _look_refused(self, whom: str, size: float, _: Random) -> None:
        self._refuse(whom, 400, "PEER_ID_INVALID", method=self._look(whom), times=1 + int(size * TIMES))

    def _deletion_refused(self, whom: str, _: float, __: Random) -> None:
        self._refuse(whom, 403, "MESSAGE_DELETE_FORBIDDEN", method=DELETE)

    def _sign_refused(self, whom: str, size: float, chance: Random) -> None:
        method, times = chance.choice((TYPE, REACT)), 1 + int(size * TIMES)
        self._refuse(whom, 400, "PEER_ID_INVALID", method=method, times=times)

    def _repeats_refused(self, _: str, size: float, __: Random) -> None:
        """What is sent again is refused as a duplicate, in place of the first message."""
        faults = self.world.telegram.faults
        faults.refuse_repeats = True
        self.world.loop.call_later(size * REPEATS_REFUSED, setattr, faults, "refuse_repeats", False)

    def _send_unknown(self, whom: str, size: float, _: Random) -> None:
        self._refused[self._caller(whom)] += 1
        self._unknown(whom, SEND, size)

    def _edit_unknown(self, whom: str, size: float, _: Random) -> None:
        self._unknown(whom, EDIT, size)

    def _look_unknown(self, whom: str, size: float, _: Random) -> None:
        self._unknown(whom, self._look(whom), size)

    def _unknown(self, whom: str, method: str, size: float) -> None:
        self._refuse(whom, *UNKNOWN, method=method, times=1 + int(size * 2 * TIMES))

    # --- what a client knows of the account's changes

    def _difference_too_long(self, whom: str, size: float, chance: Random) -> None:
        back = chance.choice((0, int(size * TIMES)))
        pts = max(1, self.world.telegram.pts(self._caller(whom)) - back)
        if not self._shows_nothing(whom):
            self.world.telegram.faults.difference_too_long(self._caller(whom), pts if back else None)
            self._cut(whom)

    def _state_refused(self, whom: str, _: float, chance: Random) -> None:
        if not self._shows_nothing(whom):
            self._refuse(whom, 400, chance.choice(STATE_REFUSALS), method=DIFFERENCE)
            self._cut(whom)

    def _difference_unknown(self, whom: str, size: float, _: Random) -> None:
        self._unknown(whom, DIFFERENCE, size)
        self._cut(whom)

    def _state_unknown(self, whom: str, size: float, _: Random) -> None:
        """At its next start."""
        self._unknown(whom, STATE, size)

    def _state_ahead(self, whom: str, size: float, _: Random) -> None:
        """As if Telegram had gone back: it crashes, and then finds a state that Telegram has not reached by far."""
        subject = f"$KV.{subjects.TELEGRAM_BUCKET}.{self._caller(whom)}"
        stored = dict(self.world.stored(f"KV_{subjects.TELEGRAM_BUCKET}", subject)).get(subject)
        if stored and not self._shows_nothing(whom):
            state = json.loads(stored)
            self.world.nats.publish(subject, "", b"", json.dumps(state | {"pts": state["pts"] + FAR}).encode())
            self.world.nats.flush()
            self.crash(whom, size * DOWN)

    def _shows_nothing(self, whom: str) -> bool:
        """Whether Telegram shows the account no chats: what it has missed would be lost with its state."""
        return self.world.callers[whom].bot

    def _connection_lost(self, whom: str, size: float, _: Random) -> None:
        """Nonsense is stored in place of a person's connection, as the process finds when it starts after a crash."""
        key = f"{self._caller(whom)}.{KEY}{self._account(whom)}"
        subject, person = f"$KV.{subjects.CHATS_BUCKET}.{key}", self.people.person(whom)
        if not person or person.is_away or not self.world.nats_has(STREAM):
            return
        stream = self.world.nats.store.streams[STREAM]
        if before := stream.last_sequence_of(subject):
            self.crash(process_of(whom), size * DOWN)
            self.world.nats.publish(subject, "", b"", b"{}")
            self.registers.overwritten(key, before, stream.last_sequence_of(subject))
            person.is_forgotten(size * DOWN + KNOWN_AGAIN)

    def _draft_refused(self, whom: str, size: float, chance: Random) -> None:
        self._refuse(whom, 400, chance.choice(DRAFT_REFUSALS), method=SHOW_LIVE_DRAFT, times=1 + int(size * TIMES))

    def _centre_refused(self, whom: str, size: float, chance: Random) -> None:
        """A sign-in at another data centre."""
        self._refuse(whom, *chance.choice(CENTRE_REFUSALS), method=SIGN_IN, times=1 + int(size * TIMES))

    def _centre_signed_out(self, whom: str, _: float, __: Random) -> None:
        """The sign-ins there don't count any more."""
        state = self.world.telegram.state
        for key in [key for key in state.data_centres.elsewhere if state.logins.get(key) == self._caller(whom)]:
            del state.logins[key]

    def _packet_unreadable(self, whom: str, _: float, __: Random) -> None:
        self.world.telegram.push_unreadable(self._caller(whom))

    def _packet_outdated(self, whom: str, _: float, __: Random) -> None:
        self.world.telegram.push_outdated(self._caller(whom))

    def _session_renewed(self, whom: str, _: float, __: Random) -> None:
        """The updates that the server had not sent are lost."""
        self.world.telegram.faults.suppress_pushes(self._caller(whom))
        self.world.telegram.begin_sessions_anew(self._caller(whom))

    def _salt_changed(self, whom: str, _: float, __: Random) -> None:
        self.world.telegram.change_salts(self._caller(whom))

    # --- what nobody of ours has stored

    def _record_broken(self, whom: str, _: float, chance: Random) -> None:
        self.records.overwrite(whom, chance)

    def _reply_forged(self, whom: str, _: float, chance: Random) -> None:
        self.replies.forge(whom, chance)

    def _reply_to_nobody(self, whom: str, _: float, chance: Random) -> None:
        self.replies.send_to_nobody(whom, chance)

    def _refuse(self, whom: str, code: int, name: str, *, method: str, times: int = 1) -> None:
        self.world.telegram.faults.refuse(self._caller(whom), code, name, method=method, times=times)

    def _look(self, whom: str) -> str:
        return LOOK_OF_BOT if self.world.callers[whom].bot else LOOK

    def _cut(self, whom: str) -> None:
        """So that the client asks what it has missed."""
        self.world.telegram.drop_connections(self._caller(whom))

    def _caller(self, whom: str) -> int:
        return self.world.callers[whom].id

    def _account(self, whom: str) -> int:
        return self.world.accounts[whom].id
