"""What the benchmark of quality scores, with a reader that is no model."""

from benchmarks.dialogues import halves, kinds, questions
from benchmarks.quality import compared, recalls


class Words:
    bos_token_id = 7

    def encode(self, text, *, add_special_tokens):
        assert not add_special_tokens
        return list(text.encode())


class Reader:
    """Takes so many bits for each byte."""

    def __init__(self, each):
        self._each = each

    def bits(self, before, texts):
        assert before[0] == Words.bos_token_id
        return [self._each * len(text) for text in texts]


def test_every_text_has_enough_for_a_score():
    for dialogues in kinds().values():
        assert all(len(messages) > 1 for messages in dialogues)
        assert len(halves(dialogues, 600)) > 1
        asked = questions(dialogues, 25)
        assert len(asked) > 20
        assert all(len(set(question.replies)) == 10 for question in asked)


def test_the_scored_half_follows_what_was_read():
    assert halves([["a", "b"], ["c", "d"], ["e"]], 2) == [("a\nb\n", "c\nd\n")]


def test_the_right_reply_comes_first():
    first = questions([[f"{side}{number}" for side in "qr"] for number in range(30)], 30)[4]
    assert first.said == "q4"
    assert first.replies[0] == "r4"


def test_a_file_of_ones_own_is_scored_apart(tmp_path):
    (tmp_path / "jokes.txt").write_text("one\ntwo\n\nthree\nfour", encoding="utf-8")
    assert kinds(tmp_path / "jokes.txt")["jokes"] == [["one", "two"], ["three", "four"]]


def test_a_ratio_is_of_the_same_texts_bytes():
    figures = compared(Words(), Reader(2.0), Reader(2.5))
    assert set(figures["bits_per_byte"].values()) == {2.0}
    assert set(figures["bits_per_byte_ratio"].values()) == {1.25}
    assert figures["recall_changed"] == 0


def test_recall_may_be_the_same_and_its_questions_others():
    figures = recalls([0, 3, 0, 1], [0, 0, 2, 4])
    assert (figures["recall"], figures["recall_difference"], figures["recall_changed"]) == (0.5, 0, 0.5)
