"""What people in a group say to one another gets neither a word nor a reaction, and becomes no part of a question."""

from collections import defaultdict
from collections.abc import Iterator

from tests.promises.history import History
from tests.promises.lines.logged import Logged
from tests.promises.lines.messages import Remark, Sent

HEARD = {"asked", "queued", "joined", "collecting", "collected"}
"""What the log calls a message that becomes a question, or part of one."""


def heard(history: History) -> Iterator[str]:
    sent, taken = defaultdict[str, list[Sent]](list), set[tuple[str, str, int]]()
    for one in history.of(Sent):
        sent[one.account].append(one)
    for line in history.of(Logged):
        taken |= {(line.account, line.chat, line.message_id)} if line.effect in HEARD else set()
    for remark in history.of(Remark):
        key = remark.account, remark.chat, remark.message_id
        if remark.reacted or key in taken or any(_is_about(remark, one) for one in sent[remark.account]):
            yield f"heard: {remark.text!r} in {remark.chat} was not meant for the account"


def _is_about(remark: Remark, sent: Sent) -> bool:
    """Whether it answers the remark, or repeats it, which no chat may do."""
    answers = (sent.chat, sent.reply_to) == (remark.chat, remark.message_id)
    return answers or any(remark.text in line for line in sent.text.split("\n"))
