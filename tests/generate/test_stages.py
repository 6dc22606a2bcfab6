"""An answer in stages, written by a model that says what it was told to: a character is a token."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.generate.decoding.stages import MARK_TOKENS, AnswerStages, Bounds, MarkTokens
from functions.generate.decoding.thoughts import THOUGHT_MARKS, ThoughtMark, hide_thoughts

THINK = THOUGHT_MARKS[0]
END = 1
OPENING, CLOSING = 2, 3
NAMES = {END: "", OPENING: THINK.opening, CLOSING: THINK.closing}
WITH_TOKENS = MarkTokens(
    frozenset({OPENING}), {THINK: CLOSING}, {mark: [10, CLOSING, 10, 10] for mark in THOUGHT_MARKS}
)
AS_TEXT = MarkTokens(frozenset(), {}, {mark: [ord(sign) for sign in f"\n{mark.closing}\n\n"] for mark in THOUGHT_MARKS})
BOUNDS = Bounds(answer=20, thought=100)


def decode(tokens: Sequence[int]) -> str:
    return "".join(NAMES.get(token, chr(token)) for token in tokens)


class Script:
    """Writes `text`, of which `|` is the end token, and after a thought that was closed for it, `closed`."""

    def __init__(self, text: str, closed: str = "Да|", *, marks: MarkTokens = WITH_TOKENS) -> None:
        self._marks = marks
        self._text, self._closed = self._tokens(text), self._tokens(closed)
        self.stages: list[tuple[int, bool]] = []

    def write(self, bounds: Bounds = BOUNDS, opened: ThoughtMark | None = None) -> AnswerStages:
        stages = AnswerStages(bounds, self._marks, opened=opened, ends={END}, decode=decode)
        while stage := stages.next():
            forced = stages.tokens[-3:] in (closed[-3:] for closed in self._marks.closed.values()) and stages.written
            self._text = self._closed if forced else self._text
            ends = [place + 1 for place, token in enumerate(self._text) if token in {END, *stage.stops}]
            size = min([*ends, stage.limit])
            written, self._text = self._text[:size], self._text[size:]
            self.stages.append((len(written), stage.thinking))
            stages.add(written, cut=written[-1] not in {END, *stage.stops})
        return stages

    def _tokens(self, text: str) -> list[int]:
        text = text.replace("|", "\x01")
        if self._marks is WITH_TOKENS:
            text = text.replace(THINK.opening, "\x02").replace(THINK.closing, "\x03")
        return [ord(sign) for sign in text]


def shown(stages: AnswerStages, *, thinking: bool = False) -> str:
    return hide_thoughts(decode(stages.tokens), thinking=thinking, whole=not stages.cut).text


@pytest.mark.parametrize("marks", [WITH_TOKENS, AS_TEXT])
def test_an_answer_without_a_thought_is_one_stage(marks: MarkTokens) -> None:
    script = Script("Привет!|", marks=marks)
    stages = script.write()
    assert (shown(stages), stages.cut, stages.written) == ("Привет!", False, 8)
    assert script.stages == [(8, False)]


@pytest.mark.parametrize("marks", [WITH_TOKENS, AS_TEXT])
def test_the_bound_of_an_answer_without_a_thought_is_kept_to_the_token(marks: MarkTokens) -> None:
    stages = Script("а" * 50, marks=marks).write()
    assert (shown(stages), stages.cut, stages.written) == ("а" * 20, True, 20)


@pytest.mark.parametrize("marks", [WITH_TOKENS, AS_TEXT])
@pytest.mark.parametrize("opened", [None, THINK])
@pytest.mark.parametrize("length", [0, 10, 40, 63, 64, 65, 80])
def test_the_answer_has_its_whole_bound_after_a_thought(
    marks: MarkTokens, opened: ThoughtMark | None, length: int
) -> None:
    thought = "т" * length + THINK.closing
    stages = Script((thought if opened else THINK.opening + thought) + "а" * 50, marks=marks).write(opened=opened)
    assert (shown(stages, thinking=bool(opened)), stages.cut) == ("а" * 20, True)


@pytest.mark.parametrize("marks", [WITH_TOKENS, AS_TEXT])
@pytest.mark.parametrize("opened", [None, THINK])
@pytest.mark.parametrize("text", ["т" * 500, "тайна|"])
def test_a_thought_without_an_end_is_closed_and_the_answer_follows(
    marks: MarkTokens, opened: ThoughtMark | None, text: str
) -> None:
    stages = Script(text if opened else THINK.opening + text, marks=marks).write(opened=opened)
    assert (shown(stages, thinking=bool(opened)), stages.cut) == ("Да", False)
    assert stages.written <= BOUNDS.answer + BOUNDS.thought + MARK_TOKENS // 2
    assert END not in stages.tokens


def test_a_thought_that_may_have_no_length_is_closed_at_once() -> None:
    stages = Script("Да|").write(Bounds(answer=20, thought=0), opened=THINK)
    assert stages.tokens == [10, CLOSING, 10, 10, ord("Д"), ord("а")]
    assert Script(f"{THINK.opening}т|").write(Bounds(answer=20, thought=0)).written == len("\x02Да|")


def test_a_thought_that_is_opened_again_and_again_comes_to_an_end() -> None:
    stages = Script(THINK.opening + "т" * 500, closed=THINK.opening + "т" * 500).write()
    assert shown(stages) == ""
    assert stages.cut


@pytest.mark.parametrize("marks", [WITH_TOKENS, AS_TEXT])
def test_marks_in_code_are_part_of_an_answer(marks: MarkTokens) -> None:
    text = "`<think>`, `</think>`"
    stages = Script(f"{text}|", marks=marks).write(Bounds(answer=30, thought=100))
    assert (shown(stages), stages.cut) == (text, False)


def test_each_stage_has_a_seed_of_its_own() -> None:
    stages = AnswerStages(BOUNDS, WITH_TOKENS, opened=THINK, ends={END}, decode=decode)
    thought = stages.next()
    assert thought
    stages.add([CLOSING], cut=False)
    answer = stages.next()
    assert answer
    assert thought.seed(5) == 5
    assert answer.seed(5) not in range(10)


PIECES = [THINK.opening, THINK.closing, "т" * 30, "а", "`", "```", "\n", "|", "<", "<answer>"]


@given(
    st.lists(st.sampled_from(PIECES), min_size=1).map("".join),
    st.sampled_from([WITH_TOKENS, AS_TEXT]),
    st.sampled_from([None, THINK]),
    st.integers(1, 30),
    st.integers(0, 100),
)
def test_whatever_a_model_writes_stays_within_the_bounds(
    text: str, marks: MarkTokens, opened: ThoughtMark | None, answer: int, thought: int
) -> None:
    bounds = Bounds(answer, thought)
    stages = Script(text * 30 + "|", closed=text * 30 + "|", marks=marks).write(bounds, opened)
    assert stages.written <= answer + thought + MARK_TOKENS // 2
    visible = shown(stages, thinking=bool(opened))
    assert not hide_thoughts(decode(stages.tokens), thinking=bool(opened)).thinking or stages.cut
    if "<" not in visible and "`" not in text:
        assert len(visible) <= answer
