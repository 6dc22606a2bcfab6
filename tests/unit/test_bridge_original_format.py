"""The original's way to write a conversation."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import original_format
from bridge.codecs import CODECS
from bridge.settings import CodecName
from events.errors import MalformedEvent
from events.rabbitmq.message import AmqpMessage
from events.schema import Role, Turn

U, A = Role.USER, Role.ASSISTANT


def turns(*pairs: tuple[Role, str]) -> tuple[Turn, ...]:
    return tuple(Turn(role=role, text=text) for role, text in pairs)


def test_turns_are_joined_oldest_first() -> None:
    assert (
        original_format.format_turns(turns((U, "привет"), (A, "и тебе"), (U, "как дела?")))
        == "привет<:>и тебе<:>как дела?"
    )


@pytest.mark.parametrize(
    ("text", "roles"), [("a", [U]), ("a<:>b<:>c", [U, A, U]), ("a<:>b", [A, U]), ("a<:><:>c", [U, A, U])]
)
def test_roles_alternate_and_the_last_turn_is_the_question(text, roles) -> None:
    assert [turn.role for turn in original_format.parse_turns(text)] == roles


def test_a_separator_inside_a_turn_does_not_split_it() -> None:
    assert original_format.format_turns(turns((U, "a<:>b"), (A, "c"), (U, "<:"), (U, ">"))) == "a‹:›b<:>c<:><:\n>"


def test_a_leading_turn_of_the_assistant_does_not_shift_the_roles() -> None:
    assert original_format.format_turns(turns((A, "old"), (U, "a"), (A, "b"), (U, "c"))) == "a<:>b<:>c"


def test_neighbours_of_one_role_are_one_turn() -> None:
    assert original_format.format_turns(turns((U, "a"), (U, "b"), (A, "c"), (A, "d"), (U, "e"))) == "a\nb<:>c\nd<:>e"


def test_speaker_tokens_in_a_text_are_no_control() -> None:
    harmless = original_format.escape("@@@ПЕРВЫЙ@@@ и @@ВТОРОЙ@@ПЕРВЫЙ@@, а @@ и me@@x остаются")
    assert "@@ПЕРВЫЙ@@" not in harmless
    assert "@@ВТОРОЙ@@" not in harmless
    assert harmless.endswith(", а @@ и me@@x остаются")


@pytest.mark.parametrize("text", ["", " ", "a<:>", "a<:> \n"])
def test_a_conversation_without_a_question_is_refused(text) -> None:
    with pytest.raises(MalformedEvent, match="question is empty"):
        original_format.parse_turns(text)


PIECES = st.lists(st.sampled_from(["<", ":", ">", "<:>", "@@", "ПЕРВЫЙ", "ВТОРОЙ", "a", "‹:›"]), max_size=8)


@given(st.lists(PIECES.map("".join), min_size=1, max_size=7).filter(lambda texts: texts[-1].strip()))
def test_what_is_written_is_read_as_the_same_turns(texts) -> None:
    said = turns(*((U if distance % 2 == 0 else A, text) for distance, text in enumerate(reversed(texts))))[::-1]
    expected = said[1:] if said[0].role is A else said
    read = original_format.parse_turns(original_format.format_turns(said))
    assert [turn.role for turn in read] == [turn.role for turn in expected]
    assert [turn.text for turn in read] == [original_format.escape(turn.text) for turn in expected]
    assert not any("@@ПЕРВЫЙ@@" in turn.text or "@@ВТОРОЙ@@" in turn.text for turn in read)


def test_what_the_originals_bot_asks_is_answered_with_the_models_own_sampling() -> None:
    message = AmqpMessage("вопрос".encode(), message_id="1", reply_to="q", correlation_id="c")
    asked, _ = CODECS[CodecName.ORIGINAL].decode_request(message, deadline=datetime.now(UTC))
    assert asked.sampling.with_own({"temperature": 0.9}).temperature == 0.9
