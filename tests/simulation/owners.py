"""The owner of an account: gives orders in the chat with themselves, takes them back, and decides about drafts."""

import asyncio
import re
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from edge.sandbox.message_box import StoredMessage
from edge.sandbox.state import Account
from tests.promises.lines import FOR_EVER
from tests.promises.lines.owners import Act as ActLine
from tests.promises.lines.owners import Draft as DraftLine
from tests.simulation.acts import Act
from tests.simulation.floods import Floods
from tests.simulation.world import World

DRAFT = "Черновик"
"""How a draft begins."""
QUESTION = re.compile(r"вопрос \d+")
REPORTS = ("status", "queue", "limits", "help", "allow")
DECISIONS = {"approve": 6, "reject": 2, "replace": 2, "": 1}
"""How often; the last: none."""
PRESSED = {"approve": b"+", "reject": b"-"}
"""The data of a draft's buttons, and how likely a bot's owner presses one:"""
PRESSES = 0.6
PREFIX = "Тимоха, "
"""What questions begin with, and how likely what a bot's owner writes in place of an answer:"""
ADDRESSED = 0.5
EVERYBODY = 0.2
"""How likely an order concerns all chats."""
LOOK = 0.1
"""Seconds between two looks into the own chat; likewise:"""
HELD = (0.5, 3.0)
"""Until a pause or denial is taken back."""
TOLD = 15.0
"""After which the owner repeats an order that nothing has answered."""
DECIDES = 4.0
"""In which the owner decides about a draft, at most."""
NOBODY = "@nobody_is_called_this"


@dataclass
class SeenDraft:
    message: StoredMessage
    text: str
    questions: tuple[str, ...]
    """Their texts."""
    seen_at: float
    acts: list[Act] = field(default_factory=list)


@dataclass
class Owner:
    """Of the account of `edge`, with the account `me`, which is the same unless it is a bot's.

    `replacements`: what was written in place of the answer to the question of a text.
    """

    world: World
    edge: str
    chance: Random
    me: Account
    acts: list[Act] = field(default_factory=list)
    drafts: list[SeenDraft] = field(default_factory=list)
    replacements: dict[str, list[str]] = field(default_factory=dict)
    _seen: int = 0
    _floods: Floods = field(init=False)
    _doing: "dict[asyncio.Task[None], None]" = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._floods = Floods(self.world, self.edge)

    @property
    def rests(self) -> bool:
        """Whether nothing is left to be taken back."""
        return not self._doing

    # --- what the owner does

    def write(self, user: Account) -> None:
        """In the chat of a user, where a bot's owner can't."""
        if self._account.bot:
            return
        text = f"хозяин пишет {len(self.acts)}"
        self._note("wrote", user.id, self.world.telegram.send(self._account.id, user.id, text))

    def report(self, _: Account) -> None:
        what = self.chance.choice(REPORTS)
        self._order(f"/{what}", what, None)

    def cancel(self, user: Account) -> None:
        whom, name = self._whom(user)
        self._order(f"/cancel {name}", "cancel", whom)

    def pause(self, user: Account) -> None:
        whom, name = self._whom(user)
        self._hold(self._order(f"/pause {name}", "pause", whom), f"/resume {name}")

    def deny(self, user: Account) -> None:
        self._hold(self._order(f"/deny {user.id}", "deny", user.id), f"/allow {user.id}")

    def cancel_named(self, user: Account) -> None:
        self._order(f"/cancel {_name(user)}", "cancel", user.id)

    def pause_named(self, user: Account) -> None:
        self._hold(self._order(f"/pause {_name(user)}", "pause", user.id), f"/resume {_name(user)}")

    def deny_named(self, user: Account) -> None:
        self._hold(self._order(f"/deny {_name(user)}", "deny", user.id), f"/allow {_name(user)}")

    def misname(self, _: Account) -> None:
        self._order(f"/{self.chance.choice(('pause', 'cancel', 'resume'))} {NOBODY}", "misname", None)

    def _whom(self, user: Account) -> tuple[int | None, str]:
        return (None, "all") if self.chance.random() < EVERYBODY else (user.id, str(user.id))

    def _order(self, text: str, what: str, user: int | None, reply_to: int | None = None) -> Act:
        self._look()
        return self._note(what, user, self.world.telegram.send(self.me.id, self._own_chat, text, reply_to=reply_to))

    def _note(self, what: str, user: int | None, sent: StoredMessage) -> Act:
        theirs = self._account.box.copy_of(sent) if self._account.bot else sent
        assert theirs
        act = Act(what, user, self._now, theirs.id, own_id=sent.id)
        self.acts.append(act)
        return act

    def _hold(self, act: Act, back: str) -> None:
        act.back = back
        self._do(self._held(act))

    async def _held(self, act: Act) -> None:
        """Take it back after a while, for certain, and again if it was carried out after that.

        By the chat's number if Telegram does not tell whose name it is.
        """
        await self._told(act)
        if act.is_void:
            return
        await asyncio.sleep(self.chance.uniform(*HELD))
        act.back_from, back = self._now, act.back
        while act.back_at == FOR_EVER or act.back_at < act.done_at < FOR_EVER:
            order = self._order(back, back[1:].split()[0], act.user)
            if await self._told(order):
                act.back_at = self._now
            elif order.is_void:
                back = f"{back.split()[0]} {act.user}"

    async def _told(self, act: Act) -> bool:
        """Return whether it was carried out."""
        until = self._now + TOLD
        while act.done_at == FOR_EVER and not act.is_void and self._now < until:
            await asyncio.sleep(LOOK)
            self._look()
        return act.done_at < FOR_EVER

    # --- what the owner sees

    def watch(self) -> None:
        """Look into the own chat from now on, and decide about drafts."""
        self._look()
        self.world.loop.call_later(LOOK, self.watch)

    def _look(self) -> None:
        for flood in self._floods.begun():
            self.acts.append(flood)
            self._hold(flood, "/resume all")
        own = {act.own_id for act in self.acts}
        box, chat = self.me.box, self._own_chat
        new = [one for id_, one in box.messages.items() if id_ > self._seen and one.peer_id == chat and id_ not in own]
        self._seen = max(box.messages, default=0)
        for message in new:
            self._take(message)

    def _take(self, message: StoredMessage) -> None:
        if self._floods.take(message):
            return
        if message.text.startswith(DRAFT):
            draft = SeenDraft(message, message.text, tuple(QUESTION.findall(message.text)), self._now)
            self.drafts.append(draft)
            (decision,) = self.chance.choices(list(DECISIONS), list(DECISIONS.values()))
            if decision:
                self.world.loop.call_later(self.chance.uniform(0, DECIDES), self._decide, draft, decision)
            return
        for act in self.acts:
            if act.own_id == message.reply_to and act.what != "wrote":
                act.said = message.text
                act.done_at = act.done_at if act.is_void else min(self._now, act.done_at)

    def _decide(self, draft: SeenDraft, decision: str) -> None:
        if draft.message.id not in self.me.box.messages:
            return
        if decision in PRESSED and draft.message.markup and self.chance.random() < PRESSES:
            self._press(draft, decision)
            return
        text = {"approve": "+", "reject": "-", "replace": f"{self._address()}сам {len(self.acts)}"}[decision]
        if decision == "replace":
            for question in draft.questions:
                self.replacements.setdefault(question, []).append(text)
        self._decided(draft, self._order(text, decision, None, reply_to=draft.message.id))

    def _address(self) -> str:
        """What a text of the owner's begins with: to a bot it may look like a question."""
        return PREFIX if self._account.bot and self.chance.random() < ADDRESSED else ""

    def _press(self, draft: SeenDraft, decision: str) -> None:
        """Press a button below a bot's draft, which says what a reply to it would say."""
        shown = self._account.box.copy_of(draft.message)
        assert shown
        self.world.telegram.press(self.me.id, self._own_chat, draft.message.id, PRESSED[decision])
        act = Act(decision, None, self._now, shown.id, own_id=draft.message.id)
        self.acts.append(act)
        self._decided(draft, act)

    def _decided(self, draft: SeenDraft, act: Act) -> None:
        act.questions = draft.questions
        draft.acts.append(act)

    # --- for the history

    def lines(self, names: dict[str, str]) -> Iterator[ActLine | DraftLine]:
        """Yield the acts and drafts; `names`: of the questions, by their texts."""
        for act in self.acts:
            act.questions = tuple(sorted(names[text] for text in act.questions if text in names))
            yield act.line(self.edge)
        for draft in self.drafts:
            left = self.me.box.messages.get(draft.message.id)
            about = tuple(sorted(names[text] for text in draft.questions if text in names))
            numbers = tuple(act.number for act in draft.acts)
            is_left = left is not None and left.text.startswith(DRAFT)
            yield DraftLine(self.edge, draft.message.id, draft.text, about, draft.seen_at, numbers, is_left)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.world.loop.create_task(work)
        self._doing[task] = None
        task.add_done_callback(self._doing.pop)

    @property
    def _account(self) -> Account:
        return self.world.accounts[self.edge]

    @property
    def _own_chat(self) -> int:
        """Where orders are given."""
        return self._account.id

    @property
    def _now(self) -> float:
        return self.world.loop.time()


def _name(user: Account) -> str:
    return f"@{user.username}"
