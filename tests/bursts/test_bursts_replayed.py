"""What becomes of the 200 bursts: the figures, and what must be true of them."""

import pytest

from edge.userbot.rules import Rules
from edge.userbot.triggers import Trigger, Triggers
from tests.bursts.playing import Played, play
from tests.bursts.test_bursts_file import BURSTS, is_one

RULES = Rules(triggers=Triggers.of([Trigger.PRIVATE]))
A_SECOND = 1.0 + 1e-3
"""Virtual time passes a little between any two events."""


@pytest.fixture(scope="module")
def played() -> list[Played]:
    return [play(burst, RULES) for burst in BURSTS]


def test_of_200_bursts_95_percent_get_one_answer_to_all_of_their_texts(played) -> None:
    several = [one for one in played if len(one.messages) > 1]
    whole, whole_of_several = (sum(one.is_one for one in some) for some in (played, several))
    print(f"one answer: {whole} of {len(played)} bursts, {whole_of_several} of the {len(several)} of several messages")
    assert whole >= 0.95 * len(played)
    assert whole_of_several >= 0.95 * len(several)


def test_every_burst_gets_one_answer_whose_pieces_follow_at_once_or_while_its_person_is_typing(played) -> None:
    assert [one.asked for one in played if is_one(one.burst) and not one.is_one] == []


def test_what_can_t_be_told_from_several_bursts_is_answered_in_parts_of_which_none_is_lost(played) -> None:
    for one in played:
        texts = "\n".join(text for _, text in one.asked).split("\n")
        assert len(one.answers) == len(one.asked)
        if not is_one(one.burst):
            assert texts == [message["text"] for message in one.messages]


def test_a_single_question_waits_at_most_a_second(played) -> None:
    single = [one for one in played if len(one.messages) == 1]
    questions = [one.waited for one in single if one.messages[0]["text"].endswith("?")]
    others = max(one.waited for one in single)
    print(f"single questions wait {max(questions):.2f} s at most, single messages of other kinds {others:.2f} s")
    assert len(questions) == 52
    assert max(questions) <= A_SECOND
