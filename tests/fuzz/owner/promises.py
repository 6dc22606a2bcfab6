"""What must never happen, told from what is in Telegram and from when a message was taken in."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from edge.userbot import draft_phrases, phrases
from edge.userbot.chat.transitions import Effect
from edge.userbot.formatting.messages import formatted_messages
from edge.userbot.rules import Rules
from events.schema import FailureReason
from tests.fuzz.owner.telegram import ACCOUNT, ANNA, OWNER, PEOPLE, Post, Telegram

PREFIX = "Тимоха,"
THINKING = phrases.thinking_lines()
HINT = phrases.hint("ru", PREFIX)
FAILURES = {phrases.failure("ru", reason) for reason in (phrases.DEADLINE, *FailureReason)}
REFUSALS = {
    phrases.refusal("ru", reason) for reason in (phrases.REFUSED_PERSON, phrases.QUIET_HOURS, phrases.DAY_LIMIT)
}
APPROVING, REJECTING = ("+", "👍"), ("-",)
SENDING = draft_phrases.sent("ru", "").partition(".")[0]
DROPPING = draft_phrases.rejected("ru", "").partition(".")[0]
DELETED = (Effect.DELETED, Effect.DELETED_SILENTLY)


@dataclass
class Taking:
    """When a message was handed to the intake first, and when its effect was stored at the latest."""

    began: int
    began_at: datetime
    ended: int | None = None
    ended_at: datetime | None = None
    effect: Effect | None = None


@dataclass
class Promises:
    """`broken`: what has happened nevertheless.

    `cuts`: by chat, after which moment nothing may be shown any more about questions before which message, and why.
    """

    telegram: Telegram
    rules: Rules
    replied: dict[str, str | None]
    questions: dict[str, str]
    replied_at: dict[str, datetime] = field(default_factory=dict)
    takings: dict[int, Taking] = field(default_factory=dict)
    cuts: dict[str, list[tuple[int, int, str]]] = field(default_factory=lambda: defaultdict(list))
    answered_at: dict[int, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def on_taking(self, post: Post, effect: Effect | None) -> None:
        moment, now = self.telegram.moment(), self.telegram.now()
        taking = self.takings.setdefault(post.id, Taking(moment, now))
        if effect is None or taking.ended:
            return
        taking.ended, taking.ended_at, taking.effect = moment, now, effect
        if post.by == "bot" and effect not in (Effect.OWN, Effect.SILENT):
            self.broken.append(f"our message {post.id} counts as the owner's: {effect}")
        if post.by == "owner" and effect is Effect.OWN:
            self.broken.append(f"the owner's message {post.id} counts as ours")
        if post.by == "owner" and post.chat != OWNER and self.rules.owner_pause:
            self.cuts[post.chat].append((moment, post.id, "the owner wrote"))
        # A duplicate: an edge that died since had stored it already.
        if effect in DELETED or (effect is Effect.DUPLICATE and post.said == "/delete_history"):
            self.cuts[post.chat].append((moment, post.id, "the history was deleted"))

    def on_posted(self, post: Post) -> None:
        if post.by != "bot" or not post.meant:
            return
        self.answered_at[post.meant] = post.moment
        order = self.telegram.posts[post.meant]
        if order.chat == OWNER and order.said.startswith("/cancel"):
            named = order.said.split()[1:] or PEOPLE
            for chat in named:
                self.cuts[_chat(chat)].append((post.moment, order.id, "the owner cancelled it"))

    def on_show(self, chat: str, root: int | None, text: str) -> None:
        """We are about to show `text` in answer to message `root`."""
        if chat == OWNER:
            return
        if root is None:
            self.broken.append(f"{text!r} answers nothing")
            return
        asked = self.telegram.posts[root]
        moment = self.telegram.moment()
        if self.is_surely_refused(asked, moment) and not self._is_refusal(text):
            self.broken.append(f"{text!r} answers {root}, from somebody who is not allowed")
        if not _asks(asked) or self._is_refusal(text):
            return
        for since, before, why in self.cuts[chat]:
            if root < before and since < moment and text != HINT:
                self.broken.append(f"{text!r} answers {root}, but {why}")
        if why := self._pause_at(asked, moment):
            self.broken.append(f"{text!r} answers {root}, but {why}")
        if text != HINT and self.needs_approval(asked) and not self._is_approved(asked, text):
            self.broken.append(f"{text!r} answers {root} without approval")

    def _is_refusal(self, text: str) -> bool:
        return self.rules.refused == "line" and text in REFUSALS

    def is_surely_refused(self, asked: Post, moment: int) -> bool:
        """Return whether its sender was not answered, whenever exactly it was taken in."""
        taking = self.takings[asked.id]
        orders = self._orders("/allow", "/deny", before=min(moment, taking.ended or moment))
        orders = [order for order in orders if _chat(order.said.split()[1]) == asked.chat]
        if orders:
            last = orders[-1]
            return last.said.startswith("/deny") and self.answered_at.get(last.id, moment) < taking.began
        person, rules = PEOPLE[asked.chat], self.rules
        allowed = not rules.allow or rules.allow.includes(person, asked.chat)
        return rules.deny.includes(person, asked.chat) or not allowed

    def _orders(self, *names: str, before: int) -> list[Post]:
        posts = self.telegram.posts.values()
        mine = [post for post in posts if post.chat == OWNER and post.by == "owner" and post.moment < before]
        return [post for post in mine if post.said.split(" ")[0] in names]

    def _pause_at(self, asked: Post, moment: int) -> str:
        """Return which pause was surely on, whenever exactly the question was taken in."""
        taking = self.takings[asked.id]
        end = taking.ended_at if taking.ended and taking.ended < moment else self.telegram.now()
        assert end
        for pause in self._orders("/pause", before=taking.began):
            until, chat = _pause(pause)
            known = self.answered_at.get(pause.id, moment) < taking.began
            if chat in ("all", asked.chat) and known and end < until and not self._resumed(pause, moment):
                return "the owner has paused"
        if self._is_quiet(taking.began_at) and self._is_quiet(end) and end - taking.began_at < timedelta(hours=1):
            return "these are quiet hours"
        for own in self.telegram.posts.values():
            owners = own.chat == asked.chat and own.by == "owner" and own.id in self.takings
            ended = self.takings[own.id].ended if owners else None
            until = own.at.replace(microsecond=0) + 0.9 * self.rules.owner_pause
            if ended and ended < taking.began and end < until and not self._resumed(own, moment):
                return "the owner wrote before it"
        return ""

    def _is_quiet(self, at: datetime) -> bool:
        return any(hours.start <= at.hour * 60 + at.minute < hours.end for hours in self.rules.quiet_hours)

    def _resumed(self, pause: Post, moment: int) -> bool:
        """Return whether the pause may have been ended: Telegram's dates do not order what is of the same second."""
        orders = self._orders("/resume", before=moment)
        return any(order.id > pause.id or _second(order) == _second(pause) for order in orders)

    def needs_approval(self, asked: Post) -> bool:
        """Return whether it surely does."""
        match self.rules.approve:
            case "all":
                return True
            case "listed":
                return self.rules.approve_list.includes(PEOPLE[asked.chat], asked.chat)
            case "new":
                return not any(self.outcomes(post) for post in self.telegram.posts.values() if post.chat == asked.chat)
        return False

    def _is_approved(self, asked: Post, text: str) -> bool:
        decision = next(iter(self.decisions(asked)), None)
        if decision:
            return decision.said in APPROVING or (decision.said not in REJECTING and text == decision.said)
        replied_at = self.replied_at.get(self.request_id(asked))
        waited = replied_at and self.telegram.now() - replied_at >= self.rules.approve_for - timedelta(seconds=1)
        return bool(waited) and self.rules.approve_expired == "send"

    def decisions(self, asked: Post) -> list[Post]:
        """Return what the owner has decided about drafts of the answer to a question, in order."""
        drafts = {
            post.id for post in self.telegram.ours(OWNER) if not post.meant and _newest_question(post) == asked.id
        }
        replies = [post for post in self.telegram.posts.values() if post.by == "owner" and post.meant in drafts]
        return [post for post in replies if not post.said.startswith("/")]

    def request_id(self, asked: Post) -> str:
        return f"{ACCOUNT}.{asked.chat}.{asked.id}.0"

    def outcomes(self, asked: Post) -> list[str]:
        """Return what the chat shows in answer to a message, without thinking lines."""
        return [post.text for post in self._about(asked) if post.said not in THINKING or post.edited]

    def _about(self, asked: Post) -> list[Post]:
        """Return our messages in answer to a message.

        One that was deleted before a start could find it is sent again: it counts once.
        """
        about = [post for post in self.telegram.ours(asked.chat) if self.telegram.root(post) == asked.id]
        return [post for post in about if not (post.deleted and self._is_repeated(post, about))]

    def _is_repeated(self, post: Post, about: list[Post]) -> bool:
        return any(other.id > post.id and other.said in (post.said, post.text) for other in about)

    def check_outcomes(self) -> None:
        """No message has two outcomes, nor an outcome twice, nor anybody else's."""
        for asked in self.telegram.posts.values():
            if asked.by != "user":
                continue
            outcomes = self.outcomes(asked)
            if sum(post.said in THINKING for post in self._about(asked)) > 1:
                self.broken.append(f"{asked.id} has two thinking lines")
            if len(outcomes) > 1 and not any(_is_part(outcomes, answer) for answer in self._answers(asked)):
                self.broken.append(f"{asked.id} has several outcomes: {[text[:60] for text in outcomes]}")
            if sum(bool(self.outcomes(root)) for root in self._asked_with(asked)) > 1:
                self.broken.append(f"{asked.id} is in several questions that were answered")
        for order in self._orders("/pause", "/resume", "/cancel", "/allow", "/deny", "/status", before=2**60):
            answers = self._about(order)
            if len(answers) > 1:
                self.broken.append(f"order {order.id} is answered {len(answers)} times")

    def _answers(self, asked: Post) -> list[list[str]]:
        """Return the messages of each text that may answer a question."""
        texts = [self.replied.get(self.request_id(asked)) or "", *(one.said for one in self.decisions(asked))]
        return [[part.text for part in formatted_messages(text, formatted=True)] for text in texts if text]

    def _asked_with(self, piece: Post) -> list[Post]:
        """Return the newest message of each question that was asked with this message in it."""
        mark, before = f"№{piece.id}.", f"{ACCOUNT}.{piece.chat}."
        found = [one for one, text in self.questions.items() if one.startswith(before) and mark in text]
        return [self.telegram.posts[int(request_id.split(".")[2])] for request_id in found]

    def check_end(self) -> None:
        """Nothing was lost."""
        for asked in self.telegram.posts.values():
            taking = self.takings.get(asked.id)
            if taking is None or asked.chat in self.telegram.refused:
                continue
            ordered = taking.effect is Effect.ORDERED and asked.said.startswith("/")
            if ordered and asked.id not in self.answered_at:
                self.broken.append(f"order {asked.id} {asked.said!r} has no answer")
            if asked.by == "user" and taking.effect in (Effect.ASKED, Effect.QUEUED, Effect.JOINED):
                self._check_answered(asked)
            elif asked.by == "user" and taking.effect in (Effect.COLLECTING, Effect.COLLECTED):
                self._check_collected(asked)

        self._check_days()

    def _check_days(self) -> None:
        """No chat has had more answers on a day than the owner allows, nor have all of them."""
        answered: Counter[tuple[str, date]] = Counter()
        for asked in self.telegram.posts.values():
            taking = self.takings.get(asked.id)
            if asked.by != "user" or taking is None or taking.ended_at is None:
                continue
            texts = [text for text in self.outcomes(asked) if not self._is_refusal(text)]
            counted = self._counted(asked, taking)
            if texts and counted and counted.ended_at and counted.began_at.date() == counted.ended_at.date():
                answered[asked.chat, counted.began_at.date()] += 1
                answered["all", counted.began_at.date()] += 1
        for (chat, day), number in answered.items():
            limit = self.rules.max_answers_per_day_for_all if chat == "all" else self.rules.max_answers_per_day
            if 0 < limit < number:
                self.broken.append(f"{number} answers on {day} in {chat}")

    def _counted(self, asked: Post, taking: Taking) -> Taking | None:
        """Return when the answer to a message was counted: a burst is with its first message. None if it was not."""
        if taking.effect is not Effect.COLLECTED:
            return taking if asked.said.startswith(PREFIX) or taking.effect is Effect.COLLECTING else None
        earlier = (
            self.takings.get(number) for number in range(asked.id - 1, 100, -1) if self._is_in(number, asked.chat)
        )
        return next((one for one in earlier if one and one.effect is Effect.COLLECTING), None)

    def _is_in(self, number: int, chat: str) -> bool:
        return self.telegram.posts[number].chat == chat

    def _check_collected(self, piece: Post) -> None:
        """It was asked with what followed, unless it was deleted or somebody has cut it off."""
        cut = any(piece.id < before for _, before, _ in self.cuts[piece.chat])
        if piece.deleted or cut or self._may_be_cancelled(piece):
            return
        roots = self._asked_with(piece)
        if roots:
            self._check_answered(max(roots, key=lambda root: root.id))
        elif not self._has_failed(piece):
            self.broken.append(f"{piece.id} was collected and not asked")

    def _has_failed(self, piece: Post) -> bool:
        """Return whether its question failed, or waits for approval, before any worker could see it."""
        later = [self.telegram.posts[n] for n in range(piece.id, 101 + len(self.telegram.posts))]
        shown = [text for post in later if post.chat == piece.chat for text in self.outcomes(post)]
        return self.rules.approve != "off" or not FAILURES.isdisjoint(shown)

    def _may_be_cancelled(self, asked: Post) -> bool:
        """Return whether there is a later order to cancel whose answer Telegram has refused."""
        return any(
            post.chat == OWNER and post.said.startswith("/cancel") and post.id > asked.id
            for post in self.telegram.posts.values()
            if post.id not in self.answered_at
        )

    def _check_answered(self, asked: Post) -> None:
        """It has the whole outcome, unless somebody has cut it off or the owner has not approved it."""
        outcomes = self.outcomes(asked)
        if self._was_told(asked, DROPPING) and outcomes:
            self.broken.append(f"{asked.id} is answered although the owner was told that it is not")
        cut = any(asked.id < before for _, before, _ in self.cuts[asked.chat])
        doubtful = self.needs_approval(asked) or self.rules.approve == "new"
        if cut or self._may_be_cancelled(asked) or (doubtful and not self._was_told(asked, SENDING)):
            return
        whole = [[text] for text in FAILURES] + self._answers(asked)
        if outcomes not in whole:
            self.broken.append(f"{asked.id} has no whole outcome: {[text[:60] for text in outcomes]}")

    def _was_told(self, asked: Post, line: str) -> bool:
        """Return whether a line that begins like `line` answered a decision of the owner's."""
        answers = {post.meant for post in self.telegram.ours(OWNER) if post.said.startswith(line)}
        return any(decision.id in answers for decision in self.decisions(asked))


def _asks(asked: Post) -> bool:
    """Return whether a message is a question, or a piece of one, if it is answered at all."""
    return asked.said.startswith(PREFIX) or not (asked.said.startswith("/") or asked.by != "user")


def _is_part(some: list[str], every: list[str]) -> bool:
    """Return whether `some` are texts of `every` in this order, each once."""
    left = iter(every)
    return all(text in left for text in some)


def _newest_question(draft: Post) -> int:
    """Return the newest question that a draft is about: its text and its answer's have its number."""
    return max((int(number) for number in re.findall(rf"(?:№|{ACCOUNT}\.\d+\.)(\d+)\.", draft.said)), default=0)


def _chat(name: str) -> str:
    return ANNA.id if name == "@anna" else name


def _pause(order: Post) -> tuple[datetime, str]:
    """Return when the pause ends, at the earliest, and which chat it is for."""
    times = {"10m": timedelta(minutes=10), "2h": timedelta(hours=2)}
    chat, time = "all", timedelta(days=3000)
    for word in order.said.split()[1:]:
        chat, time = (chat, times[word]) if word in times else (_chat(word), time)
    return order.at.replace(microsecond=0) + time, chat


def _second(post: Post) -> datetime:
    return post.at.replace(microsecond=0)
