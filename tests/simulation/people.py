"""Who writes to the accounts, as a plan says: users, and owners from their own devices."""

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from edge.sandbox.centres import MAIN, OTHER
from edge.sandbox.state import Account
from tests.promises.lines import USER
from tests.simulation.connections import PROCESS as BUSINESS
from tests.simulation.connections import process_of
from tests.simulation.model_server import ModelServer
from tests.simulation.owners import Owner
from tests.simulation.persons import Person
from tests.simulation.plan import APPROVING, Plan, Saying
from tests.simulation.program import Program
from tests.simulation.requests import ORIGINAL
from tests.simulation.world import World

SOON = 30.0
"""Seconds before, in which what was asked may be gone with it."""

if TYPE_CHECKING:
    from tests.simulation.talks import Talk
    from tests.simulation.votes import Votes

GREETING = "Добрый день!"


@dataclass
class Asked:
    """A question: `message_id` in the box of the edge's account, `own_id` in its user's. `piece`: without the prefix.

    `group`: the token of the group or topic in which it was asked, empty: in private.
    `text`: unlike that of any other. `edited`: its later text. Times in seconds of the loop.
    """

    edge: str
    user: int
    message_id: int
    own_id: int
    text: str
    at: float
    piece: bool = False
    edited: str = ""
    deleted_at: float | None = None
    group: str = ""

    @property
    def chat(self) -> str:
        """Its token."""
        return self.group or str(self.user)


@dataclass(frozen=True)
class Command:
    edge: str
    user: int
    message_id: int
    own_id: int
    at: float
    group: str = ""

    @property
    def chat(self) -> str:
        """Its token."""
        return self.group or str(self.user)


@dataclass
class People:
    """`asked`, oldest first; `wiped`: when who told which edge to delete the history; `owners`: of users' accounts.

    `talk`: what is said in the group of a user's account, if it has one. `votes`: of readers, by edge.
    """

    world: World
    plan: Plan
    chance: Random
    users: list[Account] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    wiped: list[Command] = field(default_factory=list)
    owners: dict[str, Owner] = field(default_factory=dict)
    program: Program | None = None
    """One that asks over RabbitMQ."""
    foreign: ModelServer | None = None
    """Somebody else's workers on RabbitMQ."""
    talk: "Talk | None" = None
    votes: "dict[str, Votes]" = field(default_factory=dict)
    bots_owner: Account | None = None

    def invite(self) -> None:
        self.program = Program(self.world, self.plan.codec) if self.plan.codec else None
        self.foreign = ModelServer(self.world) if self.plan.both and self.plan.codec == ORIGINAL else None
        for number in range(self.plan.users):
            is_named = self.plan.names_people or process_of(self.edge_of(number)) == BUSINESS
            name, username = f"User {number}", f"user_{number}" if is_named else None
            phone = f"+7999{number:07}"
            user = self.world.telegram.add_user(first_name=name, username=username, phone=phone, lang_code="ru")
            self.users.append(user)
        if self.plan.has_bots_owner:
            self.bots_owner = self.world.telegram.add_user(first_name="Owner", phone="+79980000000", lang_code="ru")

    def edge_of(self, number: int) -> str:
        """Return the edge that the user of this number writes to."""
        return self.plan.edges[number % len(self.plan.edges)]

    @property
    def approving(self) -> list[Account]:
        """Whose answers need approval where the settings say so."""
        return self.users[::2] if APPROVING in self.plan.settings else []

    @property
    def greeted(self) -> list[Account]:
        """To whom the owner of the user's account has written first, where the settings ask for that."""
        return self.users_of(USER)[1::2] if self.plan.first_writers else []

    @property
    def kept_out(self) -> list[Account]:
        """Who gets no answer by the settings."""
        greeted = self.greeted
        writers = [user for user in self.users_of(USER) if user not in greeted]
        return {"": [], "allow": greeted, "deny": writers}[self.plan.first_writers]

    def users_of(self, edge: str) -> list[Account]:
        """Return those who write to it."""
        return [user for number, user in enumerate(self.users) if self.edge_of(number) == edge]

    def greet(self) -> None:
        """Write first, before the account has a userbot."""
        for user in self.greeted:
            self.world.telegram.send(self.world.accounts[USER].id, user.id, GREETING)

    def watch(self) -> None:
        """Let the owners of accounts look after them."""
        for edge, account in self.world.accounts.items():
            if owner := self.bots_owner if account.bot else account:
                self.owners[edge] = self._owner(edge, owner)
                self.owners[edge].watch()

    def _owner(self, edge: str, owner: Account) -> Owner:
        if process_of(edge) != BUSINESS:
            return Owner(self.world, edge, self.chance, owner)
        return Person(self.world, edge, self.chance, owner, centre=OTHER if edge == self.plan.elsewhere else MAIN)

    @property
    def persons(self) -> "list[Person]":
        """Who may connect a bot."""
        return [owner for owner in self.owners.values() if isinstance(owner, Person)]

    def was_absent(self, edge: str, at: float) -> bool:
        """Return whether what was asked then may never have reached the bot, as its person had sent it away."""
        person = self.person(edge)
        return person is not None and any(one.at - SOON < at <= one.back_at for one in person.absences)

    def person(self, edge: str) -> Person | None:
        """Return who may connect a bot to the account of the edge, if that is how it is answered."""
        return next((one for one in self.persons if one.edge == edge), None)

    def has_left(self, edge: str, since: float) -> bool:
        """Return whether its person has sent the bot away since then."""
        person = self.person(edge)
        return person is not None and any(one.at > since for one in person.departures)

    def has_chat(self, edge: str, chat: str) -> bool:
        """Return whether it is one of the edge: of a user, or the owner's own."""
        users = {str(user.id) for number, user in enumerate(self.users) if self.edge_of(number) == edge}
        return chat in users | {str(self.world.accounts[edge].id)}

    def do(self, saying: Saying) -> None:
        user = self.users[saying.user]
        what = saying.what.removeprefix("owner_")
        if saying.what == "vote":
            self.votes[saying.edge].vote(user)
        elif saying.what.startswith("group_"):
            getattr(self.talk, saying.what.removeprefix("group_"))(user)
        elif what == saying.what:
            getattr(self, f"_{what}")(saying.edge, user)
        elif owner := self.owners.get(saying.edge):
            getattr(owner, what)(user)

    def ask(self, edge: str, user: int) -> None:
        """Ask as the user of this number."""
        self._question(edge, self.users[user])

    def erase(self, edge: str, user: int) -> Command:
        """Likewise delete the history, and return what was sent."""
        self._delete_history(edge, self.users[user])
        return self.wiped[-1]

    def _question(self, edge: str, user: Account) -> None:
        self._ask(edge, user, "Тимоха, ")

    def _formatted(self, edge: str, user: Account) -> None:
        self._ask(edge, user, "Тимоха, **", "", after="**")

    def _piece(self, edge: str, user: Account) -> None:
        self._ask(edge, user, "", self.chance.choice(("", "", "?", ".")))

    def _ask(self, edge: str, user: Account, prefix: str, end: str = "", after: str = "") -> None:
        telegram, account = self.world.telegram, self.world.accounts[edge]
        text = f"вопрос {len(self.asked)}{end}"
        sent = telegram.send(user.id, account.id, prefix + text + after)
        theirs = telegram.messages(account.id, user.id)[-1]
        now = self.world.loop.time()
        self.asked.append(Asked(edge, user.id, theirs.id, sent.id, text, now, piece=not prefix))

    def _edit(self, edge: str, user: Account) -> None:
        if piece := self.last_piece(edge, user):
            piece.edited = f"{piece.text} (правка)"
            self.world.telegram.edit(user.id, piece.own_id, piece.edited)

    def _delete(self, edge: str, user: Account) -> None:
        if piece := self.last_piece(edge, user):
            piece.deleted_at = self.world.loop.time()
            self.world.telegram.delete(user.id, piece.own_id)

    def _withdraw(self, edge: str, user: Account) -> None:
        """Delete the last question, for both."""
        known = [one for one in self.asked if (one.edge, one.user) == (edge, user.id)]
        if known and known[-1].deleted_at is None:
            known[-1].deleted_at = self.world.loop.time()
            self.world.telegram.delete(user.id, known[-1].own_id)

    def _stranger(self, edge: str, user: Account) -> None:
        """Write to the bot without having connected it."""
        self.world.telegram.send(user.id, self.world.callers[edge].id, self.chance.choice(("/start", "/status", "?")))

    def last_piece(self, edge: str, user: Account, *, in_group: bool = False) -> Asked | None:
        """Return the newest that the user has written, in private or in the group, if it can be changed."""
        known = [one for one in self.asked if (one.edge, one.user) == (edge, user.id) and one.piece]
        known = [one for one in known if bool(one.group) == in_group]
        return known[-1] if known and known[-1].deleted_at is None and not known[-1].edited else None

    def _delete_history(self, edge: str, user: Account) -> None:
        telegram, account = self.world.telegram, self.world.accounts[edge]
        sent = telegram.send(user.id, account.id, "/delete_history")
        theirs = telegram.messages(account.id, user.id)[-1]
        self.wiped.append(Command(edge, user.id, theirs.id, sent.id, self.world.loop.time()))
