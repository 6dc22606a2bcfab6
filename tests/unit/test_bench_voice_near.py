"""Near examples: which exchanges of the corpus stand in front of a question, and where."""

import random
import threading
from typing import ClassVar

import pytest

from benchmarks import voice
from benchmarks.voice_near import K, Near
from events.schema import FinishReason, GenerationCompleted, Role, Turn, Usage
from functions.generate.prompts import Dialogue, fit
from training.voice.talks import Exchange, Talk


def talk(language, *lines):
    return Talk(tuple(map(Exchange, lines[::2], lines[1::2])), language, "somewhere:1")


TALKS = [
    talk("ru", "столица Франции?", "Париж.", "а столица Польши?", "Варшава.", "спасибо!", "Обращайся!"),
    talk("ru", "Люблю лето", "Я тоже, по рассказам.", "А осень?", "Она пахнет яблоками."),
    talk("ru", "Что приготовить?", "Суп.", "А осень?", "При чём тут осень?"),
    talk("ru", "столица Чехии?", "Прага.", "А Австрии?", "Вена."),
    talk("ru", "столица Греции?", "Афины."),
    talk("ru", "кто президент?", "Новостей я не знаю."),
    talk("en", "capital of France?", "Paris.", "thanks!", "Any time!"),
]


def asked(*texts):
    """By turns: the last one is the question."""
    return [Turn(role=(Role.ASSISTANT if number % 2 else Role.USER), text=text) for number, text in enumerate(texts)]


def said(turns):
    return [turn.text for turn in turns]


def test_the_nearest_exchange_stands_last_and_there_are_at_most_k():
    for k in (1, 2, 3):
        turns = Near(TALKS, k=k).turns(asked("какая столица Чехии"))
        assert len(turns) == 2 * k
        assert [turn.role for turn in turns] == [Role.USER, Role.ASSISTANT] * k
        assert said(turns)[-2:] == ["столица Чехии?", "Прага."]
    assert K == 4


@pytest.mark.parametrize("question", ["стaлица франции", "СТОЛИЦА ФРАНЦИИ", "столицу францыи назови"])
def test_case_typos_and_other_forms_of_a_word_are_near(question):
    assert said(Near(TALKS, k=1).turns(asked(question))) == ["столица Франции?", "Париж."]


def test_examples_are_in_the_language_of_who_asks():
    assert said(Near(TALKS).turns(asked("what is the capital of France")))[-2:] == ["capital of France?", "Paris."]
    assert not set(said(Near(TALKS).turns(asked("France")))) & set(said(Near(TALKS).turns(asked("Франции"))))
    # Where the question has no letters, what was asked before decides.
    assert "Paris." in said(Near(TALKS).turns(asked("capital of France?", "Париж.", "capital?")))


def test_a_lone_question_prefers_what_begins_a_talk_and_has_no_exchange_before_it():
    same = [talk("ru", "Привет", "Салют!", "Как ты?", "Как и минуту назад."), talk("ru", "Как ты?", "Бодро!")]
    assert said(Near(same, k=1).turns(asked("Как ты?"))) == ["Как ты?", "Бодро!"]


def test_what_was_asked_before_decides_between_follow_ups_and_stands_before_them():
    summer = asked("Я люблю лето", "И я.", "А осень?")
    assert said(Near(TALKS, k=1).turns(summer)) == [
        "Люблю лето",
        "Я тоже, по рассказам.",
        "А осень?",
        "Она пахнет яблоками.",
    ]
    dinner = asked("Что бы приготовить?", "Кашу.", "А осень?")
    assert said(Near(TALKS, k=1).turns(dinner))[0] == "Что приготовить?"


def test_a_talk_like_the_one_before_is_no_reason_for_an_unlike_question():
    corpus = [
        talk("ru", "Расскажи про море", "Было тепло.", "надолго?", "На неделю."),
        talk("ru", "Скучно", "Бывает.", "Приезжай к нам", "Приеду!"),
    ]
    turns = Near(corpus, k=1).turns(asked("Расскажи про море", "Потом.", "Приезжай-ка к ним, только не надо"))
    assert said(turns)[-1] == "Приеду!"


def test_an_answer_stands_once_and_nothing_like_the_question_means_no_example():
    twice = [talk("ru", "пока", "До встречи!"), talk("ru", "пока!", "До встречи!"), talk("ru", "пока-пока", "Пиши!")]
    assert sorted(said(Near(twice).turns(asked("пока")))[1::2]) == ["До встречи!", "Пиши!"]
    assert Near(TALKS).turns(asked("щщщ")) == Near(TALKS).turns(asked("!!!")) == Near([]).turns(asked("пока")) == []


def test_the_choice_is_the_same_each_time_and_by_the_corpus_alone():
    first = Near(TALKS).turns(asked("столица?"))
    random.seed(5)
    assert Near(list(TALKS)).turns(asked("столица?")) == first


def test_the_examples_stand_between_what_the_model_plays_and_the_talk():
    before = [voice.Exchange("Раз?", "Один."), voice.Exchange("Ты был в Чехии?", "Нет.")]
    plain = voice.request("а столица там какая", 7, before)
    request = voice.with_examples(plain, Near(TALKS, k=1))
    number = len(request.turns) - len(plain.turns)
    assert request.turns[number:] == plain.turns  # the talk's own, to the end
    assert request.sampling == plain.sampling
    prompt = "".join(segment.text for segment in Dialogue(preamble=True).render(request.turns))
    examples = "".join(
        f"{'Тимоха' if n % 2 else 'Гость'}: {turn.text}\n" for n, turn in enumerate(request.turns[:number])
    )
    talk = "Гость: Ты был в Чехии?\nТимоха: Нет.\nГость: а столица там какая\nТимоха:"
    assert prompt.endswith(f"ты кто?\nТимоха: Я Тимоха, твой друг.\n{examples}{talk}")


def test_what_does_not_fit_is_the_farthest_example_first():
    request = voice.with_examples(voice.request("столица Чехии", 1, []), Near(TALKS, k=3))
    kept = fit(request.turns, 5, len)
    assert said(kept)[-3:] == ["столица Чехии?", "Прага.", "столица Чехии"]
    assert kept == list(request.turns[-5:])


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


class Noting(Near):
    """Notes in which threads it is asked."""

    threads: ClassVar[set] = set()

    def turns(self, asked):
        self.threads.add(threading.current_thread())
        return super().turns(asked)


async def test_a_talk_remembers_its_own_turns_and_the_search_holds_nobody_up():
    edge, near = Echoing(), Noting(TALKS, k=1)
    asker = voice.Asker(edge, near)
    answered = await asker.all([["столица Чехии", "А осень?"]])
    assert said(edge.requests[0].turns) == ["столица Чехии?", "Прага.", "столица Чехии"]
    assert said(edge.requests[1].turns)[-3:] == ["столица Чехии", "Их 3.", "А осень?"]
    assert len(edge.requests[1].turns) == 4 + 3
    assert [one.last.answer for one in answered] == ["Их 3.", "Их 7."]
    assert answered[1].before == (answered[0].last,)
    assert asker.input_tokens == [30, 70]
    assert threading.main_thread() not in near.threads
