"""Who may get a word, told independently of the product: from the rules and from what Telegram shows."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pyrogram import raw

from edge.userbot import phrases
from edge.userbot.rules import Rules
from tests.fuzz.strangers.account import ACCOUNT, USERS, Post, Shown, Telegram

COMMANDS = ("/help", "/delete_history", "/set_context_length")
REFUSALS = {
    phrases.refusal("ru", reason) for reason in (phrases.REFUSED_PERSON, phrases.QUIET_HOURS, phrases.DAY_LIMIT)
}


@dataclass
class Model:
    """`may`: the messages that may get a word; each is judged when it comes. `broken`: who got one nevertheless."""

    telegram: Telegram
    rules: Rules
    bots: bool
    may: dict[tuple[str, int], str] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    allowed: set[str] = field(default_factory=set)
    paused: bool = False
    owner_wrote: dict[str, datetime] = field(default_factory=dict)
    typing_until: dict[str, datetime] = field(default_factory=dict)
    shown: list[Shown] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def judge(self, post: Post) -> None:
        """Decide about a message that comes now: "word", or "refusal" for no more than the line that says so."""
        kind = self._addressed(post)
        if not kind:
            return
        if not self._is_allowed(post):
            self.may[post.key] = "refusal" if kind != "no prefix" else ""
        elif kind == "command":
            self.may[post.key] = "word"
        elif self.paused or self._owner_is_there(post):
            self.may[post.key] = ""
        elif self._is_quiet(post.at):
            self.may[post.key] = "refusal" if kind == "prefix" else ""
        else:
            self.may[post.key] = f"word, {kind}"

    def _addressed(self, post: Post) -> str:
        """Return how a message may be meant for the account: "command", "prefix", "no prefix", or not at all."""
        group, text = post.chat.startswith("-"), post.message.message
        listed = bool({post.chat, post.chat.partition("t")[0]} & self.rules.groups.entries)
        if not self._is_person(post) or (group and not listed and not self._answers_all_groups):
            return ""
        if text.startswith(COMMANDS):
            return "command"
        if text.startswith("Тимоха,"):
            return "prefix"
        is_said = text.strip() and not text.startswith("/") and not post.message.via_bot_id and (listed or not group)
        return "no prefix" if is_said and (self._is_triggered(post) or self._may_follow(post)) else ""

    @property
    def _answers_all_groups(self) -> bool:
        return self.rules.answer_groups and not self.rules.groups.entries

    def _is_person(self, post: Post) -> bool:
        """Return whether a person wrote it who is not the owner, or a bot that is answered like one."""
        author = _author(post)
        user = USERS.get(author)
        if post.message.out or post.message.post or user is None or str(author) == ACCOUNT:
            return False
        return author != 777000 and not user.support and (self.bots or not user.bot)

    def _is_triggered(self, post: Post) -> bool:
        message, group = post.message, post.chat.startswith("-")
        replied = message.reply_to and (post.chat, message.reply_to.reply_to_msg_id) in self.telegram.ours
        applies = {
            "private": not group,
            "replies": bool(replied),
            "mentions": group and "@me" in message.message,
            "questions": "?" in message.message,
            "any": True,
        }
        return any(applies[kind] for kind, _ in self.rules.triggers.shares)

    def _may_follow(self, post: Post) -> bool:
        """Return whether its author may have begun a burst that is not over."""
        answered = {(shown.chat, shown.root) for shown in self.shown}
        mine = (other for other in self.telegram.posts.values() if _author(other) == _author(post))
        begun = (one for one in mine if one.chat == post.chat and self.may.get(one.key) == "word, no prefix")
        return bool(self.rules.triggers) and any(one.key not in answered for one in begun)

    def _is_allowed(self, post: Post) -> bool:
        author = _author(post)
        user = USERS[author]
        names = {str(author), post.chat, post.chat.partition("t")[0], f"@{(user.username or '').lower()}"}
        names |= {"contacts"} if user.contact else set()
        names |= {"wrote_first"} if author == 30003 and not post.chat.startswith("-") else set()
        if names & self.denied or names & self.allowed:
            return not names & self.denied
        return not names & self.rules.deny.entries and (
            not self.rules.allow.entries or bool(names & self.rules.allow.entries)
        )

    def _owner_is_there(self, post: Post) -> bool:
        since = self.owner_wrote.get(post.chat)
        return since is not None and post.at - since < 0.9 * self.rules.owner_pause

    def _is_quiet(self, at: datetime) -> bool:
        minute = at.hour * 60 + at.minute
        return any(hours.start <= minute < hours.end for hours in self.rules.quiet_hours)

    def owner_writes(self, chat: str, at: datetime) -> None:
        """What came before is the owner's from now on."""
        self.owner_wrote[chat] = at.replace(microsecond=0)
        if self.rules.owner_pause:
            self.may |= {key: "" for key, kind in self.may.items() if key[0] == chat and kind != "word"}

    def on_show(self, shown: Shown) -> None:
        if shown.chat == ACCOUNT:
            return
        self.shown.append(shown)
        kind = self.may.get((shown.chat, shown.root or 0), "") if shown.root else self._typing_kind(shown.chat)
        is_refusal = shown.text in REFUSALS
        if not kind or (kind == "refusal" and not (is_refusal and self.rules.refused == "line")):
            said = self.telegram.posts.get((shown.chat, shown.root or 0))
            self.broken.append(f"{shown.text!r} in {shown.chat} to {said}, which may get {kind or 'nothing'!r}")

    def _typing_kind(self, chat: str) -> str:
        return next((kind for key, kind in self.may.items() if key[0] == chat and kind.startswith("word")), "")

    def check_limits(self) -> None:
        """No chat has had more answers than the owner allows, in a day, or without the prefix in any hour."""
        roots = {(one.chat, one.root or 0): one for one in self.shown if one.text == "ответ"}
        days = Counter((key[0], self.telegram.posts[key].at.date()) for key in roots)
        for (chat, day), number in days.items():
            if 0 < self.rules.max_answers_per_day < number:
                self.broken.append(f"{number} answers in {chat} on {day}")
        for chat, one in ((key[0], shown) for key, shown in roots.items()):
            near = [
                other
                for key, other in roots.items()
                if key[0] == chat and self.may.get(key) == "word, no prefix"
                and timedelta(0) <= other.at - one.at < timedelta(minutes=30)
            ]  # fmt: skip
            if 0 < 2 * self.rules.max_without_prefix < len(near):
                self.broken.append(f"{len(near)} answers without the prefix in {chat} within half an hour")


def _author(post: Post) -> Any:
    author = post.message.from_id or post.message.peer_id
    return author.user_id if isinstance(author, raw.types.PeerUser) else None
