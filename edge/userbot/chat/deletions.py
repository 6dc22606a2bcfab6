"""What it does to a chat's record that messages in it were deleted or edited: pure functions."""

from collections.abc import Set

from edge.userbot.chat.bursts import change_piece, find_piece, leave_out, question_of
from edge.userbot.chat.commands import Ask, parse
from edge.userbot.chat.owner_turn import drop_questions, open_questions
from edge.userbot.chat.record import ChatRecord
from edge.userbot.chat.transitions import Decision, Effect
from edge.userbot.chat.triggering import is_for_people
from edge.userbot.people import Person
from edge.userbot.rules import Rules
from edge.userbot.text import clean, trim


def take_edit(record: ChatRecord, message_id: int, text: str, rules: Rules) -> Decision:
    """Take a message's new text into the burst that collects it. One that is for nobody any more is left out."""
    found = find_piece(record, message_id)
    if found is None:
        return Decision(record, Effect.SILENT)
    burst, piece = found
    own = rules.for_person(Person(burst.sender))
    command = parse(text, own.prefix, own.names)
    # The prefix may start with `/`, too.
    if not isinstance(command, Ask) and not is_for_people(text):
        return take_deletion_from_bursts(record, {message_id})
    text = command.question if isinstance(command, Ask) else trim(clean(text))
    return Decision(change_piece(record, burst, piece, text), Effect.SILENT)


def take_deletion_from_bursts(record: ChatRecord, message_ids: Set[int]) -> Decision:
    """Leave deleted messages out of what is still being collected. A burst of which nothing is left is dropped."""
    left = leave_out(record, message_ids)
    senders = {burst.sender for burst in left.bursts}
    dropped = tuple(question_of(burst) for burst in record.bursts if burst.sender not in senders)
    return Decision(left, Effect.QUESTION_DELETED if dropped else Effect.SILENT, dropped)


def take_deletion(record: ChatRecord, message_ids: Set[int]) -> Decision:
    """Do as `take_deletion_from_bursts`, and drop the questions whose messages were deleted before their outcome.

    Several that are asked as one are known by the newest. A message that is no such question changes nothing.
    """
    collected = take_deletion_from_bursts(record, message_ids)
    record = collected.record
    deleted = tuple(question for question in open_questions(record) if question.message_id in message_ids)
    dropped = (*collected.dropped, *deleted)
    return Decision(drop_questions(record, deleted), Effect.QUESTION_DELETED if dropped else Effect.SILENT, dropped)
