"""From the chat record to the request."""

from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.userbot.chat.record import ChatRecord, ChatSettings, Current, Question, ask, from_json
from edge.userbot.chat.request_builder import CHARS_PER_TOKEN, TOKENS_PER_TURN, build_request
from events.event import Event
from events.ids import RequestId
from events.schema import GenerationRequested, Role, Sampling, Turn

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SAMPLING = Sampling(max_new_tokens=7)


def history(*texts: str) -> tuple[Turn, ...]:
    return tuple(Turn(role=(Role.USER, Role.ASSISTANT)[number % 2], text=text) for number, text in enumerate(texts))


def current(text: str = "вопрос", message_id: int = 9) -> Current:
    question = Question(message_id=message_id, text=text, locale="en", asked_at=NOW)
    return ask(question, RequestId("7", "42", str(message_id)), NOW)


def chat(context_length: int, *texts: str) -> ChatRecord:
    return ChatRecord(settings=ChatSettings(context_length=context_length), history=history(*texts))


def request(record: ChatRecord, asked: Current, **bounds: int) -> GenerationRequested:
    return build_request(record, asked, "7", "42", SAMPLING, **bounds)


def texts(requested: GenerationRequested) -> list[str]:
    return [turn.text for turn in requested.turns]


def test_a_request_names_its_question_and_carries_deadline_locale_and_sampling() -> None:
    requested = request(chat(2), current())
    assert requested.request_id == "7.42.9.0"
    assert (requested.account_id, requested.chat_id, requested.message_id, requested.revision) == ("7", "42", "9", 0)
    assert (requested.deadline, requested.locale, requested.sampling.max_new_tokens) == (NOW, "en", 7)
    assert requested.turns == (Turn(role=Role.USER, text="вопрос"),)


def test_a_request_carries_all_that_the_question_says() -> None:
    question = current().question.having(revision=3, live=True, persona="Мария", speaker="Анна")
    seed = int.from_bytes(sha256(b"7.42.9.3").digest()[:4], "big")
    assert request(chat(2, "а", "б"), ask(question, RequestId("7", "42", "9", 3), NOW)) == GenerationRequested(
        request_id="7.42.9.3",
        account_id="7",
        chat_id="42",
        message_id="9",
        revision=3,
        turns=(*history("а", "б"), Turn(role=Role.USER, text="вопрос", speaker="Анна")),
        sampling=SAMPLING.naming_defaults().model_copy(update={"seed": seed}),
        deadline=NOW,
        locale="en",
        live=True,
        persona="Мария",
    )


@pytest.mark.parametrize(
    ("more", "tokens", "size"),
    [({}, 16, 16), ({"persona": "жжж"}, 21, 22), ({"speaker": "Анна"}, 18, 24)],
    ids=["alone", "with a persona", "with a speaker"],
)
def test_history_that_just_fits_goes_along(more: dict[str, str], tokens: int, size: int) -> None:
    record, asked = chat(2, "а", "б"), current()
    asked = asked.having(question=asked.question.having(**more))
    for enough in ({"max_tokens": tokens}, {"max_bytes": size}):
        assert texts(request(record, asked, **enough)) == ["а", "б", "вопрос"]
    for too_few in ({"max_tokens": tokens - 1}, {"max_bytes": size - 1}):
        assert texts(request(record, asked, **too_few)) == ["вопрос"]


@pytest.mark.parametrize(
    ("text", "bounds", "left"),
    [
        ("абвгд", {"max_tokens": 5}, "вгд"),
        ("аб  вг", {"max_tokens": 5}, "вг"),
        ("абвгд", {"max_tokens": 4}, "д"),
        ("абвгд", {"max_tokens": 1}, "д"),
        ("абвгд", {"max_bytes": 5}, "гд"),
        ("аб  ", {"max_tokens": 4}, " "),
    ],
)
def test_of_a_question_that_is_too_long_the_end_is_asked(text: str, bounds: dict[str, int], left: str) -> None:
    assert texts(request(chat(0), current(text), **bounds)) == [left]


def test_a_request_says_what_of_its_sampling_nobody_chose() -> None:
    sampling = request(chat(0), current()).sampling
    assert sampling.by_default == ("repetition_penalty", "temperature", "top_k", "top_p")
    assert sampling.with_own({"temperature": 0.9, "max_new_tokens": 9}).model_dump(exclude={"seed", "by_default"}) == {
        **Sampling(max_new_tokens=7).model_dump(exclude={"seed", "by_default"}),
        "temperature": 0.9,
    }
    body = Event.of(request(chat(0), current()), source="/test", time=NOW).data()
    assert isinstance(body, GenerationRequested)
    assert body.sampling == sampling


def test_a_length_that_its_owner_chose_for_a_person_counts_as_chosen() -> None:
    asked = current()
    asked = asked.having(question=asked.question.having(max_new_tokens=300))
    sampling = build_request(chat(0), asked, "7", "42", Sampling()).sampling
    assert sampling.max_new_tokens == 300
    assert "max_new_tokens" not in sampling.by_default


@pytest.mark.parametrize(
    ("length", "expected"),
    [(0, ["вопрос"]), (1, ["г", "вопрос"]), (2, ["в", "г", "вопрос"]), (50, ["а", "б", "в", "г", "вопрос"])],
)
def test_as_many_earlier_messages_go_along_as_the_user_has_set(length: int, expected: list[str]) -> None:
    assert texts(request(chat(length, "а", "б", "в", "г"), current())) == expected


def test_the_same_question_makes_the_same_request_in_every_process() -> None:
    record = chat(2, "а", "б").having(current=current())
    again = from_json(record.to_json())
    assert again.current is not None
    first, second = request(record, current()), request(again, again.current)
    assert first == second
    assert first.sampling.seed == 1162980783
    assert (
        Event.of(first, source="a", time=datetime.now(UTC)).body
        == Event.of(second, source="b", time=datetime.now(UTC)).body
    )


def test_another_question_gets_another_seed() -> None:
    seeds = {request(chat(0), current(message_id=number)).sampling.seed for number in range(50)}
    assert len(seeds) == 50


def test_the_oldest_messages_are_dropped_first_and_no_answer_without_its_question_stays() -> None:
    record = chat(50, "а" * 10, "б" * 10, "в", "г")
    assert texts(request(record, current("д"), max_bytes=27)) == ["в", "г", "д"]
    assert texts(request(record, current("д"), max_bytes=5)) == ["д"]
    assert texts(request(record, current("д"), max_tokens=3 * (TOKENS_PER_TURN + 1))) == ["в", "г", "д"]


def test_a_question_too_long_by_itself_is_cut_from_its_start() -> None:
    assert texts(request(chat(2, "а", "б"), current("раз два три"), max_bytes=10)) == ["а три"]
    assert texts(request(chat(2), current("раз два три"), max_tokens=TOKENS_PER_TURN + 1)) == ["три"]


def test_the_longest_telegram_message_is_asked_whole() -> None:
    text = "ж" * 4096
    assert texts(request(chat(2, "а", "б"), current(text))) == ["а", "б", text]


@given(
    st.lists(st.text(min_size=1, max_size=60), max_size=20),
    st.text(min_size=1, max_size=60).map(str.strip).filter(bool),
    st.integers(0, 50),
    st.integers(4, 300),
    st.integers(TOKENS_PER_TURN + 1, 60),
)
def test_any_request_keeps_its_bounds_and_ends_with_the_question(
    earlier: list[str], question: str, length: int, max_bytes: int, max_tokens: int
) -> None:
    record = chat(length, *earlier)
    requested = request(record, current(question), max_bytes=max_bytes, max_tokens=max_tokens)
    *context, last = requested.turns
    assert last.role is Role.USER
    assert question.endswith(last.text)
    assert len(context) <= length
    assert tuple(context) == record.history[len(record.history) - len(context) :]
    assert sum(len(turn.text.encode()) for turn in requested.turns) <= max_bytes
    assert sum(TOKENS_PER_TURN + len(turn.text) / CHARS_PER_TOKEN for turn in requested.turns) <= max_tokens
