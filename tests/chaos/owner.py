"""The owner of an account: decides about drafts, gives orders, writes in chats, and edits timokha.toml."""

import asyncio
import os
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.sandbox.message_box import StoredMessage
from edge.sandbox.state import Account
from tests.chaos.acts import DRAFT, Act, SeenDraft
from tests.chaos.edges import APPROVE_FOR, PRODUCT, Edge
from tests.chaos.users import Crowd, Question
from tests.chaos.world import World
from tests.promises.lines import FOR_EVER, USER
from tests.promises.owners_acts import silence

QUESTION = re.compile(r"вопрос (\d+)")
DECISIONS = {("approve",): 60, ("reject",): 12, ("replace",): 12, ("approve", "reject"): 6, (): 10}
"""How often; the second of two comes too late."""
ACTS = {"wrote": 12, "pause": 5, "cancel": 4, "deny": 3, "edit": 4, "spoil": 1, "report": 3}
EVERYBODY = 0.15
"""How likely an order concerns all chats."""
HELD = (0.5, 3.0)
"""Seconds until a pause or denial is taken back."""
TOLD = 15.0
"""Seconds after which the owner repeats an order that nothing has answered."""
READ = 5.0
"""Seconds in which a running userbot has read a file."""
HUSHED = 1.5
"""Seconds after which a user knows that there will be no answer; likewise:"""
HUSHED_BY_LIMIT = 6.0
"""Also while a pause lasts, so that a long one does not bring many more questions."""
UNDECIDED = APPROVE_FOR + 7.0


@dataclass
class Owner:
    """Of `edge`. `approving`: the users whose answers need approval. `limit`: answers for one of them a day."""

    world: World
    crowd: Crowd
    edge: Edge
    limit: int
    chance: random.Random
    acts: list[Act] = field(default_factory=list)
    drafts: list[SeenDraft] = field(default_factory=list)
    approving: frozenset[int] = frozenset()
    _seen_to: int = 0

    async def begin(self) -> None:
        """Write the first timokha.toml, and wait until it counts."""
        people = [person.id for person, edge in self.crowd.people if edge is self.edge]
        self.approving = frozenset(people[::2])
        self._write(self._rules())
        async with asyncio.timeout(60):
            while "rules.changed" not in self.edge.log.read_text(errors="replace"):  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.1)

    async def look(self) -> None:
        """Note what comes into the owner's chat, and decide about drafts, until cancelled."""
        while True:
            for message in self._new_messages():
                self._take(message)
            for draft in self.drafts:
                if draft.gone_at == FOR_EVER and draft.message_id not in self._owner.box.messages:
                    draft.gone_at = time.monotonic()
                if draft.decide_at and draft.decide_at < min(time.monotonic(), draft.gone_at):
                    self._decide(draft)
            await asyncio.sleep(0.05)

    async def rule(self) -> None:
        """Do this and that while questions are asked. In the end no pause is left, and nobody is denied."""
        every = max(4, min(12, self.crowd.total // 20))
        due = every
        while not self.crowd.complete:
            if len(self.crowd.asked) < due:
                await asyncio.sleep(0.05)
                continue
            due = len(self.crowd.asked) + every
            (what,) = self.chance.choices(list(ACTS), list(ACTS.values()))
            await self._act(what)
            await self._take_back_again()
        await self._take_back_again()

    def hushes(self, question: Question) -> bool:
        """Its user may not expect an answer any more."""
        waited = time.monotonic() - question.asked_at
        if question.user in self.approving and waited > UNDECIDED:
            return True
        of_user = sum(other.user == question.user for other in self.crowd.asked)
        if of_user > self.limit and waited > HUSHED_BY_LIMIT:
            return True
        asked = question.line
        acts = [act for act in self.acts if silence(act.line(self.edge), asked, PRODUCT)]
        patience = HUSHED_BY_LIMIT if any(act.back_at == FOR_EVER for act in acts if act.back) else HUSHED
        return any(time.monotonic() > max(act.at, question.asked_at) + patience for act in acts)

    # --- drafts

    def _take(self, message: StoredMessage) -> None:
        now = time.monotonic()
        if message.text.startswith(DRAFT):
            names = frozenset(self.crowd.asked[int(number)].name for number in QUESTION.findall(message.text))
            decide_at = now + self.chance.uniform(0, 0.8 * APPROVE_FOR)
            self.drafts.append(SeenDraft(message.id, message.text, names, now, decide_at))
            return
        for act in self.acts:
            if act.own_id == message.reply_to and act.what != "wrote":
                act.done_at, act.said = min(now, act.done_at), message.text

    def _decide(self, draft: SeenDraft) -> None:
        draft.decide_at = None
        (decisions,) = self.chance.choices(list(DECISIONS), list(DECISIONS.values()))
        for decision in decisions:
            text = {"approve": "+", "reject": "-", "replace": f"сам {len(self.acts)}"}[decision]
            if decision == "replace":
                for question in self.crowd.asked:
                    if question.name in draft.questions:
                        question.replacements.add(text)
            draft.acts.append(self._order(text, decision, None, reply_to=draft.message_id, about=draft.questions))

    # --- orders, and what the owner writes

    async def _act(self, what: str) -> None:
        user = self._somebody()
        match what:
            case "wrote":
                self._write_to(user)
            case "edit":
                self._write(self._rules())
            case "spoil":
                await self._spoil()
            case "report":
                name = self.chance.choice(("status", "queue", "limits", "help", "allow"))
                await self._told(self._order(f"/{name}", name, None))
            case "deny":
                await self._held(self._order(f"/deny {user}", "deny", user), f"/allow {user}")
            case _:
                everybody = self.chance.random() < EVERYBODY
                whom, name = (None, "all") if everybody else (user, str(user))
                act = self._order(f"/{what} {name}", what, whom)
                if what == "pause":
                    await self._held(act, f"/resume {name}")
                else:
                    await self._told(act)

    async def _held(self, act: Act, back: str) -> None:
        """Take it back after a while, for certain."""
        act.back = back
        await self._told(act)
        await asyncio.sleep(self.chance.uniform(*HELD))
        act.back_from = time.monotonic()
        await self._take_back(act)

    async def _take_back(self, act: Act) -> None:
        while not await self._told(self._order(act.back, act.back[1:].split()[0], act.user)):
            pass
        act.back_at = time.monotonic()

    async def _take_back_again(self) -> None:
        """A userbot whose catch-up stalls may have carried an order out after the one that took it back."""
        for act in [act for act in self.acts if act.back and act.back_at < act.done_at < FOR_EVER]:
            await self._take_back(act)

    async def _told(self, act: Act) -> bool:
        """Whether the owner got an answer in time."""
        until = time.monotonic() + TOLD
        while act.done_at == FOR_EVER and time.monotonic() < until:  # noqa: ASYNC110 - a clock as well
            await asyncio.sleep(0.05)
        return act.done_at < FOR_EVER

    def _order(
        self,
        text: str,
        what: str,
        user: int | None,
        *,
        reply_to: int | None = None,
        about: frozenset[str] = frozenset(),
    ) -> Act:
        sent = self.world.telegram.send(self._owner.id, self.edge.account.id, text, reply_to=reply_to)
        return self._noted(what, user, sent, about)

    def _write_to(self, user: int) -> None:
        if self.edge.kind == USER:  # nobody but the bot writes from its account
            self._noted("wrote", user, self.world.telegram.send(self.edge.account.id, user, f"это я {len(self.acts)}"))

    def _noted(self, what: str, user: int | None, sent: StoredMessage, about: frozenset[str] = frozenset()) -> Act:
        theirs = self.edge.account.box.copy_of(sent)
        act = Act(what, user, time.monotonic(), sent.id, theirs.id if theirs else 0, about)
        self.acts.append(act)
        return act

    def _somebody(self) -> int:
        """Who waits for an answer, mostly."""
        waiting = [question.user for question in self.crowd.waiting if question.edge is self.edge]
        people = [person.id for person, edge in self.crowd.people if edge is self.edge]
        return self.chance.choice(waiting if waiting and self.chance.random() < 0.7 else people)

    @property
    def _owner(self) -> Account:
        assert self.edge.owner
        return self.edge.owner

    def _new_messages(self) -> Sequence[StoredMessage]:
        """What the owner has not seen yet and did not write."""
        found, own = [], {act.own_id for act in self.acts}
        for message in reversed(self._owner.box.messages.values()):
            if message.id <= self._seen_to:
                break
            if message.peer_id == self.edge.account.id and message.id not in own:
                found.append(message)
        self._seen_to = max([self._seen_to, *self._owner.box.messages])
        return found[::-1]

    # --- timokha.toml

    def _rules(self) -> str:
        """Who needs approval stays; the rest is left to chance."""
        people = [person.id for person, edge in self.crowd.people if edge is self.edge]
        listed = ", ".join(f'"{user}"' for user in sorted(self.approving))
        contacts = [
            f'[contacts.{user}]\npersona = "Ты {user}"\nlanguage = "{self.chance.choice(("ru", "en"))}"\nlive = true\n'
            for user in self.chance.sample(people, min(3, len(people)))
        ]
        busy, refused = self.chance.choice(("ignore", "queue")), self.chance.choice(("silence", "line"))
        return "\n".join(
            [
                "[userbot]",
                'approve = "listed"',
                f"approve_list = [{listed}]",
                f'when_busy = "{busy}"',
                f'refused = "{refused}"',
                *contacts,
            ]
        )

    async def _spoil(self) -> None:
        """Write what can't be read: a running userbot keeps its rules; one that is starting ends, and starts again."""
        (victim,) = self.world.of(self.edge.kind)
        async with victim.lock:
            before = self._complaints()
            self._write('[userbot]\napprove = "nobody\n')
            until = time.monotonic() + READ
            while self._complaints() == before and time.monotonic() < until:  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.1)
            self._write(self._rules())

    def _complaints(self) -> int:
        return self.edge.log.read_text(errors="replace").count("rules.not_changed")

    def _write(self, text: str) -> None:
        """As an editor does."""
        file = self.edge.log.parent / "timokha.toml"
        new = file.with_suffix(".new")
        new.write_text(text + "\n")
        os.replace(new, file)
