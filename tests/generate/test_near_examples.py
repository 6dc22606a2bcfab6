"""Near examples: which exchanges of a voice stand in front of a question, and where."""

import random
import threading
from typing import ClassVar

import pytest

from benchmarks import voice
from events.errors import SettingsError
from events.schema import FinishReason, GenerationCompleted, Role, Turn, Usage
from functions.generate.engines.serving_file import ServingInfo
from functions.generate.models.card import EXAMPLES_FILE, LEAST_PROMPT_FOR_EXAMPLES, ModelCard
from functions.generate.models.voices import Voice
from functions.generate.prompts.conversation import fit_turns
from functions.generate.prompts.formats import FormatName
from functions.generate.prompts.near_examples import (
    INDEXES,
    NearExamples,
    copy_examples,
    load_examples,
    read_talks,
    write_talks,
)

TALKS = [
    ["столица Франции?", "Париж.", "а столица Польши?", "Варшава.", "спасибо!", "Обращайся!"],
    ["Люблю лето", "Я тоже, по рассказам.", "А осень?", "Она пахнет яблоками."],
    ["Что приготовить?", "Суп.", "А осень?", "При чём тут осень?"],
    ["столица Чехии?", "Прага.", "А Австрии?", "Вена."],
    ["столица Греции?", "Афины."],
    ["кто президент?", "Новостей я не знаю."],
    ["capital of France?", "Paris.", "thanks!", "Any time!"],
]
CARD = ModelCard(name="m", format=FormatName.DIALOGUE, scene=True, labels="asked", near=2)


def asked(*texts):
    """By turns: the last one is the question."""
    return [Turn(role=(Role.ASSISTANT if number % 2 else Role.USER), text=text) for number, text in enumerate(texts)]


def near(*texts, talks=TALKS, count=1, **how):
    """Questions and answers of the examples."""
    found = NearExamples(talks, count=count, **how).examples(asked(*texts))
    return [(one.question, one.answer) for one in found]


def prompt(card, turns, **how):
    return "".join(segment.text for segment in card.prompt_format(lambda: None, **how).render(turns))


@pytest.fixture
def model(tmp_path):
    """A directory with a card and its examples."""
    CARD.write(tmp_path)
    write_talks(tmp_path, TALKS)
    return tmp_path


def test_the_nearest_exchange_stands_last_and_there_are_at_most_as_many_as_asked_for():
    for count in (1, 2, 3):
        found = near("какая столица Чехии", count=count)
        assert len(found) == count
        assert found[-1] == ("столица Чехии?", "Прага.")


@pytest.mark.parametrize("question", ["стaлица франции", "СТОЛИЦА ФРАНЦИИ", "столицу францыи назови"])
def test_case_typos_and_other_forms_of_a_word_are_near(question):
    assert near(question) == [("столица Франции?", "Париж.")]


def test_examples_are_in_the_language_of_who_asks():
    assert near("what is the capital of France", count=4)[-1] == ("capital of France?", "Paris.")
    assert not set(near("France", count=9)) & set(near("Франции", count=9))
    # Where the question has no letters, what was asked before decides.
    assert near("capital of France?", "Париж.", "capital?") == [("capital of France?", "Paris.")]


def test_a_lone_question_prefers_what_begins_a_talk():
    same = [["Привет", "Салют!", "Как ты?", "Как и минуту назад."], ["Как ты?", "Бодро!"]]
    assert near("Как ты?", talks=same) == [("Как ты?", "Бодро!")]


def test_what_was_asked_before_decides_between_follow_ups():
    assert near("Я люблю лето", "И я.", "А осень?") == [("А осень?", "Она пахнет яблоками.")]
    assert near("Что бы приготовить?", "Кашу.", "А осень?") == [("А осень?", "При чём тут осень?")]


def test_a_talk_like_the_one_before_is_no_reason_for_an_unlike_question():
    talks = [["Расскажи про море", "Было тепло.", "надолго?", "На неделю."], ["Приезжай к нам", "Приеду!"]]
    found = near("Расскажи про море", "Потом.", "Приезжай-ка к ним, только не надо", talks=talks)
    assert found == [("Приезжай к нам", "Приеду!")]


def test_an_answer_stands_once_and_nothing_like_the_question_means_no_example():
    twice = [["пока", "До встречи!"], ["пока!", "До встречи!"], ["пока-пока", "Пиши!"]]
    assert sorted(answer for _, answer in near("пока", talks=twice, count=4)) == ["До встречи!", "Пиши!"]
    assert near("щщщ") == near("!!!") == near("пока", talks=[]) == near() == []


def test_a_model_that_learns_is_not_shown_the_answer_that_it_is_to_write():
    assert near("столица Чехии?", training=True) != [("столица Чехии?", "Прага.")]
    # The same words elsewhere in a talk are another question.
    assert near("А осень?", "Да.", "столица Чехии?", training=True) == [("столица Чехии?", "Прага.")]


def test_the_choice_is_the_same_each_time_and_by_the_talks_alone():
    first = near("столица?", count=4)
    random.seed(5)
    assert near("столица?", count=4, talks=list(TALKS)) == first


def test_examples_stand_between_the_scene_and_the_talk_and_are_nobody_s_turns(model):
    card = ModelCard.read(model)
    turns = asked("Ты был в Греции?", "Нет.", "а столица там какая")
    scene, _, rest = prompt(card, turns).partition("\n\n")
    assert scene == "Переписка двух друзей. Тимоха отвечает коротко, дружелюбно и по делу."
    examples, _, talk = rest.partition("\n\n")
    assert len(examples.splitlines()) == 4
    assert examples.endswith("Гость: столица Чехии?\nТимоха: Прага.")
    assert talk == "Гость: Ты был в Греции?\nТимоха: Нет.\nГость: а столица там какая\nТимоха:"
    segments = card.prompt_format(lambda: None).render(turns)
    assert [one.text for one in segments if one.learned and not one.framing] == [" Нет."]
    assert all(one.framing for one in segments if one.text == "Гость:")
    assert not any(one.framing for one in segments if "Прага" in one.text)  # somebody's words, not the frame's


def test_a_question_without_near_examples_has_the_scene_alone(model):
    assert prompt(ModelCard.read(model), asked("щщщ")).endswith("по делу.\n\nГость: щщщ\nТимоха:")


def test_where_prompts_are_short_the_question_keeps_the_room(model):
    card, turns = ModelCard.read(model), asked("столица Чехии")
    assert "Прага" in prompt(card, turns, prompt_tokens=LEAST_PROMPT_FOR_EXAMPLES)
    assert "Прага" not in prompt(card, turns, prompt_tokens=LEAST_PROMPT_FOR_EXAMPLES - 1)


def test_a_card_takes_its_examples_along(model, tmp_path_factory):
    copied, served = tmp_path_factory.mktemp("copied"), tmp_path_factory.mktemp("served")
    ModelCard.read(model).write(copied)
    assert (copied / EXAMPLES_FILE).read_bytes() == (model / EXAMPLES_FILE).read_bytes()
    ServingInfo(card=ModelCard.read(copied), context=2048, ends=(1,)).write(served)
    assert read_talks(served) == TALKS
    assert "Прага" in prompt(ServingInfo.read(served).card, asked("столица Чехии"))


def test_what_is_kept_beside_the_examples_finds_the_same_and_is_made_anew_where_it_is_no_longer_right(model, tmp_path):
    served = tmp_path / "served"
    served.mkdir()
    copy_examples(model, served)
    made, kept = NearExamples(TALKS, count=3), load_examples(served, count=3)
    questions = ["столица Чехии", "capital of france", "а осень какая", "щщщ"]
    assert [made.examples(asked(text)) for text in questions] == [kept.examples(asked(text)) for text in questions]
    write_talks(served, TALKS[4:])
    assert load_examples(served, count=1).examples(asked("столица Чехии"))[0].answer == "Афины."
    copy_examples(model, served)
    whole = (served / INDEXES).read_bytes()
    for kept_bytes in (whole[:500], b"", b"no archive"):
        (served / INDEXES).write_bytes(kept_bytes)
        assert load_examples(served, count=1).examples(asked("столица Чехии"))[0].answer == "Прага."


def test_a_text_keeps_the_line_separators_that_are_no_ends_of_lines_in_json(tmp_path):
    talks = [["раз\u2028два", "три\u0085четыре"]]
    write_talks(tmp_path, talks)
    assert read_talks(tmp_path) == talks


def test_a_model_whose_examples_are_gone_or_no_text_says_so_in_one_line(model):
    (model / EXAMPLES_FILE).write_text("[1, 2")
    with pytest.raises(
        SettingsError, match=r"^\S+examples.jsonl holds no examples.*: make it or the model anew$"
    ) as broken:
        prompt(ModelCard.read(model), asked("столица Чехии"))
    assert "\n" not in str(broken.value)
    (model / EXAMPLES_FILE).unlink()
    with pytest.raises(SettingsError, match="holds no examples"):
        prompt(ModelCard.read(model), asked("столица Чехии"))


def test_other_examples_make_another_voice(model):
    for name in ("adapter_model.safetensors", "adapter_config.json", "used_tokens.json"):
        (model / name).write_text("[]")
    digest = Voice("timokha", model).digest
    write_talks(model, TALKS[:3])
    assert Voice("timokha", model).digest != digest


def test_the_bench_puts_examples_in_front_of_a_talk_as_turns():
    before = [voice.Exchange("Раз?", "Один.")]
    plain = voice.request("столица Чехии", 7, before)
    request = voice.with_examples(plain, NearExamples(TALKS, count=1))
    assert [turn.text for turn in request.turns] == ["столица Чехии?", "Прага.", "Раз?", "Один.", "столица Чехии"]
    assert request.sampling == plain.sampling
    assert fit_turns(request.turns, 3, len) == list(request.turns[-3:])


class Echoing:
    """An edge whose every answer says how many turns were asked."""

    def __init__(self):
        self.requests = []

    async def request(self, asked):
        self.requests.append(asked)
        return GenerationCompleted(
            request_id=asked.request_id,
            text=f"Их {len(asked.turns)}.",
            finish_reason=FinishReason.STOP,
            model="echo",
            usage=Usage(input_tokens=10 * len(asked.turns)),
        )


class Noting(NearExamples):
    """Notes in which threads it is asked."""

    threads: ClassVar[set] = set()

    def examples(self, asked):
        self.threads.add(threading.current_thread())
        return super().examples(asked)


async def test_a_talk_remembers_its_own_turns_and_the_search_holds_nobody_up():
    edge, searched = Echoing(), Noting(TALKS, count=1)
    asker = voice.Asker(edge, searched)
    answered = await asker.all([["столица Чехии", "А осень?"]])
    assert [turn.text for turn in edge.requests[0].turns] == ["столица Чехии?", "Прага.", "столица Чехии"]
    assert [turn.text for turn in edge.requests[1].turns][-3:] == ["столица Чехии", "Их 3.", "А осень?"]
    assert [one.last.answer for one in answered] == ["Их 3.", "Их 5."]
    assert asker.input_tokens == [30, 50]
    assert threading.main_thread() not in searched.threads
