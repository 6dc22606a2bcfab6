"""Nobody outside the owner's rules gets a word, in ten thousand random messages of anybody, anywhere, of any kind."""

import asyncio
from collections import Counter
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from pyrogram import raw

from edge.userbot.delays import Delay
from edge.userbot.people import People
from edge.userbot.quiet_hours import QuietHours
from edge.userbot.rules import Rules
from edge.userbot.triggers import Triggers
from events.runtime.retrying import Retrying
from tests.fuzz.strangers.account import ACCOUNT, BASIC, GROUP, OTHER_GROUP, TOPIC, USERS, Account, Post, Telegram
from tests.fuzz.strangers.model import Model
from tests.unit.conftest import VirtualClock, VirtualLoop

STORIES, ACTS = 60, 200
PEOPLE = [20002, 30003, 40004]
TEXTS = [
    *("привет", "как дела?", "иду.", "@me ты тут", "@other ты тут", "ок", "и ещё вот что", "а?"),
    *("Тимоха, раз", "тимоха два", "Тимоха,", "/help", "/start", "/help@other_bot", "/delete_history", "\u200b"),
]
GAPS = [0.1, 0.3, 1.0, 1.0, 3.0, 20.0, 200.0, 1500.0]


def rules_of(random: Random) -> Rules:
    """Draw the owner's rules."""
    lists = [*[[]] * 12, ["contacts"], ["@anna"], ["30003"], ["wrote_first"], [str(GROUP)], ["@vera", "20002"]]
    groups = [[], [str(GROUP)], [str(GROUP), str(BASIC)], [f"{GROUP}t{TOPIC}"]]
    kinds = ["private", "replies", "mentions", "questions", "any:20%", "any"]
    return Rules(
        triggers=Triggers.of(random.sample(kinds, random.choice([0, 1, 1, 2]))),
        groups=People.of(random.choice(groups)),
        answer_groups=random.random() < 0.3,
        allow=People.of(random.choice(lists)),
        deny=People.of(random.choice(lists)),
        refused=random.choice(["silence", "line"]),
        quiet_hours=random.choice([(), (), (QuietHours.parse("13:00-18:00"),)]),
        owner_pause=timedelta(minutes=random.choice([0, 10])),
        when_busy=random.choice(["ignore", "queue"]),
        live=random.random() < 0.2,
        thinking=random.choice(["line", "reaction", "typing"]),
        delay=Delay.parse(random.choice(["0", "0", "5-30"])),
        max_answers_per_day=random.choice([0, 0, 5]),
        max_without_prefix=random.choice([60, 2]),
    )


class Story:
    """What happens around an account, drawn by `random`."""

    def __init__(self, random: Random, retrying: Retrying) -> None:
        self.random, self.clock = random, retrying.clock
        self.telegram = Telegram(self.clock.now)
        rules, bots = rules_of(random), random.random() < 0.2
        self.model = Model(self.telegram, rules, bots)
        self.telegram.about_to_show = self.model.on_show
        self.account = Account(retrying, self.telegram, rules, bots=bots)

    async def happens(self, acts: int) -> None:
        for _ in range(acts):
            act = self.random.choices(
                [self.somebody_writes, self.owner_writes, self.owner_orders, self.somebody_edits, self.somebody_types],
                [84, 4, 1, 7, 4],
            )[0]
            await act()
            await asyncio.sleep(self.random.choice(GAPS))
        await asyncio.sleep(2 * 3600)
        self.model.check_limits()

    async def somebody_writes(self) -> None:
        post = self._post(self._author_and_place(), self.random.choice(TEXTS))
        self.model.judge(post)
        await self.account.take(post.message)

    async def owner_writes(self) -> None:
        """Mostly where somebody has just written."""
        last = next(reversed(self.telegram.posts.values()), None)
        elsewhere = last is None or last.chat == ACCOUNT or self.random.random() < 0.3
        place = self._place(self.random.choice(PEOPLE)) if elsewhere else last.message.peer_id
        post = self._post((int(ACCOUNT), place), "сам отвечу", out=True)
        self.model.owner_writes(post.chat, post.at)
        await self.account.take(post.message)

    async def owner_orders(self) -> None:
        """Each is carried out before anything else happens."""
        name = self.random.choice(["20002", "@vera", str(GROUP)])
        text = self.random.choice([f"/deny {name}", f"/allow {name}", "/pause", *["/resume"] * 5])
        post = self._post((int(ACCOUNT), raw.types.PeerUser(user_id=int(ACCOUNT))), text, out=True)
        await self.account.take(post.message)
        await asyncio.sleep(1)
        match text.split():
            case ["/deny", name]:
                self.model.denied, self.model.allowed = self.model.denied | {name}, self.model.allowed - {name}
            case ["/allow", name]:
                self.model.allowed, self.model.denied = self.model.allowed | {name}, self.model.denied - {name}
            case [order]:
                self.model.paused = order == "/pause"

    async def somebody_edits(self) -> None:
        """What it says then makes it no question: only a burst that collects it hears of that."""
        if not self.telegram.posts:
            return
        post = self.random.choice(list(self.telegram.posts.values())[-8:])
        if self.random.random() < 0.5:
            post.message.message = self.random.choice(TEXTS)
            await self.account.take_edit(post.message)
        else:
            await self.account.take_deletion(post)

    async def somebody_types(self) -> None:
        author, place = self._author_and_place()
        self.account.types(_token(place, None), str(author))

    def _author_and_place(self) -> tuple[int, Any]:
        author = self.random.choice([*PEOPLE * 4, *USERS])
        return author, self._place(author)

    def _place(self, author: int) -> Any:
        groups = [raw.types.PeerChannel(channel_id=-(peer + 1_000_000_000_000)) for peer in (GROUP, OTHER_GROUP)]
        return self.random.choice([raw.types.PeerUser(user_id=author), *groups, raw.types.PeerChat(chat_id=-BASIC)])

    def _post(self, written: tuple[int, Any], text: str, *, out: bool = False) -> Post:
        """Make a message, now and then in the name of a channel, through an inline bot or forwarded."""
        (author, place), random = written, self.random
        channel = isinstance(place, raw.types.PeerChannel)
        header = self._header(place) if not out else None
        from_id: Any = raw.types.PeerUser(user_id=author)
        if channel and not out and random.random() < 0.1:
            from_id = random.choice([raw.types.PeerChannel(channel_id=99), place, None])
        message = raw.types.Message(
            id=self.telegram.number(int(_token(place, None))),
            peer_id=place,
            from_id=from_id,
            out=out,
            post=channel and from_id is None,
            date=int(self.clock.now().timestamp()),
            message=text,
            reply_to=header,
            via_bot_id=50005 if not out and random.random() < 0.05 else None,
            fwd_from=raw.types.MessageFwdHeader(date=1) if not out and random.random() < 0.05 else None,
            entities=[raw.types.MessageEntityMention(offset=0, length=len(text.split(maxsplit=1)[0]))]
            if text[:1] == "@"
            else None,
        )
        post = Post(_token(place, header), message, self.clock.now())
        self.telegram.posts[post.key] = post
        return post

    def _header(self, place: Any) -> Any:
        """Return what a message replies to: often one of ours."""
        ours = [number for chat, number in self.telegram.ours if chat.partition("t")[0] == _token(place, None)]
        reply_to = self.random.choice([None, None, 7, *ours[-2:]])
        if _token(place, None) == str(GROUP) and self.random.random() < 0.3:
            return raw.types.MessageReplyHeader(
                reply_to_msg_id=reply_to or TOPIC, reply_to_top_id=TOPIC if reply_to else None, forum_topic=True
            )
        return raw.types.MessageReplyHeader(reply_to_msg_id=reply_to) if reply_to else None


def _token(place: Any, header: Any) -> str:
    match place:
        case raw.types.PeerUser(user_id=id_):
            return str(id_)
        case raw.types.PeerChat(chat_id=id_):
            return str(-id_)
    topic = f"t{TOPIC}" if header and header.forum_topic else ""
    return f"{-1_000_000_000_000 - place.channel_id}{topic}"


def told(seed: int) -> Model:
    loop = VirtualLoop()

    async def tell() -> Model:
        story = Story(Random(seed), Retrying(VirtualClock(), Random(7)))
        try:
            await story.happens(ACTS)
        finally:
            await story.account.stop()
        return story.model

    try:
        return loop.run_until_complete(tell())
    finally:
        loop.close()


def test_nobody_outside_the_rules_gets_a_word_in_ten_thousand_random_messages() -> None:
    answered: Counter[str] = Counter()
    written = 0
    for seed in range(STORIES):
        model = told(seed)
        assert not model.broken, f"seed {seed}, {model.rules}:\n" + "\n".join(model.broken)
        written += len(model.telegram.posts)
        outcomes = {(one.chat, one.root) for one in model.shown if one.text == "ответ"}
        answered.update(model.may[chat, root or 0] for chat, root in outcomes)
    # A world in which nobody is answered would prove nothing.
    assert written >= 10_000
    assert answered["word, prefix"] > 100
    assert answered["word, no prefix"] > 200


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(1000, 1500))
def test_nor_in_a_hundred_thousand(seed) -> None:
    assert not told(seed).broken
