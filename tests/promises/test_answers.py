"""When a question was answered is found in the messages, if nobody has seen it."""

from dataclasses import replace

from tests.promises.answers import with_answers
from tests.promises.good_run import ANNA, answer, asked, good, history
from tests.promises.lines.messages import Asked


def test_the_times_of_answers_are_found() -> None:
    unseen = [replace(line, answered_at=None) if isinstance(line, Asked) else line for line in good()]
    assert with_answers(history(unseen)) == history(good())


def test_a_live_answer_counts_from_its_last_edit() -> None:
    live = replace(answer(ANNA, 10, 101.0), edited_at=103.0)
    (question, _) = with_answers(history([asked(ANNA, 10, 100.0), live])).lines
    assert question == asked(ANNA, 10, 100.0, 103.0)
