"""What the model is shown, and what it learns of it."""

import json

import pytest
import torch
from torch.nn.functional import cross_entropy

from events.runtime.clock import SystemClock
from events.schema import Role, Turn
from functions.generate.prompts.chat_format import ChatFormat
from functions.generate.prompts.encoding import Encoder
from functions.generate.prompts.formats import DialogueFormat, RuDialoGPTFormat
from functions.generate.prompts.templates import ChatTemplate
from training.data.splits import Part
from training.examples import Example, cover_answers, read_examples
from training.fit.lessons import Renderer
from training.fit.packing import IGNORED, pack_dialogues
from training.fit.trainer import count_learned, pack_loss
from training.fit.vocabulary import DataVocabulary


def turns(*texts):
    """The owner speaks every second one, and last."""
    roles = [Role.USER, Role.ASSISTANT] * len(texts)
    return tuple(Turn(role=role, text=text) for role, text in zip(roles[len(texts) % 2 :], texts, strict=False))


def renderer(tokenizer, shape=None, limit=200):
    return Renderer(shape or DialogueFormat(), Encoder(tokenizer), limit)


def chat(tokenizer):
    template = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    return ChatFormat(ChatTemplate(template, {}, controls=tokenizer.all_special_tokens, clock=SystemClock()))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (lambda _: DialogueFormat(), " хорошо\n да\n"),
        (lambda _: RuDialoGPTFormat(), " хорошо @@ПЕРВЫЙ@@ да @@ПЕРВЫЙ@@"),
        (chat, "хорошо<|im_end|>да<|im_end|>"),
    ],
    ids=["dialogue", "rudialogpt", "chat"],
)
def test_the_loss_is_on_the_owners_turns_and_their_end_alone(tokenizer, shape, expected):
    encoded = renderer(tokenizer, shape(tokenizer)).encode(turns("как дела?", "хорошо", "точно?", "да"))
    (packed,) = pack_dialogues([encoded], tokens=1000, seed=0)
    assert tokenizer.decode([token for token in packed["labels"][0] if token != IGNORED]) == expected


def test_a_dialogue_that_is_too_long_loses_its_oldest_turns(tokenizer):
    whole = turns("первый вопрос", "первый ответ", "второй вопрос", "второй ответ")
    limit = len(renderer(tokenizer).encode(whole).ids) - 1
    encoded = renderer(tokenizer, limit=limit).encode(whole)
    assert tokenizer.decode(encoded.ids) == "Тимоха: первый ответ\nГость: второй вопрос\nТимоха: второй ответ\n"


def test_a_question_that_is_too_long_loses_its_beginning_and_never_the_answer(tokenizer):
    encoded = renderer(tokenizer, limit=40).encode(turns("очень длинный вопрос " * 30 + "конец?", "короткий ответ"))
    text = tokenizer.decode(encoded.ids)
    assert text.endswith("конец?\nТимоха: короткий ответ\n")
    assert len(encoded.ids) == 40


def test_a_long_answer_keeps_its_end_beside_a_question_that_is_cut(tokenizer):
    answer = "длинный ответ " * 5
    size = len(renderer(tokenizer, limit=2000).lesson(turns("?", answer)).answer.ids)
    lesson = renderer(tokenizer, limit=size + 20).lesson(turns("очень длинный вопрос " * 30 + "конец?", answer))
    assert size > 20
    assert tokenizer.decode(lesson.answer.ids).endswith("ответ\n")


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_dialogues_of_a_pack_do_not_see_each_other(tokenizer, tiny_model, attention):
    """The loss of a pack is the sum of its dialogues' own, also across a sliding window."""
    tiny_model.set_attn_implementation(attention)
    render = renderer(tokenizer)
    encoded = [
        render.encode(turns("как тебя зовут, любезный?", "Григорий Степанович Смирнов, к вашим услугам")),
        render.encode(turns("зачем вы пришли?", "за овсом", "уходите", "не уйду")),
        render.encode(turns("да", "нет")),
    ]
    (together,) = pack_dialogues(encoded, tokens=1000, seed=0)
    alone = [pack_dialogues([one], tokens=1000, seed=0)[0] for one in encoded]
    with torch.inference_mode():
        expected = sum(float(pack_loss(tiny_model, one)) for one in alone)
        assert float(pack_loss(tiny_model, together)) == pytest.approx(expected, rel=1e-5)
    assert count_learned(together) == sum(map(count_learned, alone))


def test_the_loss_is_that_of_the_model_itself(tokenizer, tiny_model):
    (packed,) = pack_dialogues([renderer(tokenizer).encode(turns("да", "нет"))], tokens=1000, seed=0)
    with torch.inference_mode():
        own = tiny_model(input_ids=packed["input_ids"], labels=packed["labels"]).loss
        assert float(pack_loss(tiny_model, packed)) / count_learned(packed) == pytest.approx(float(own), rel=1e-5)


def test_a_narrowed_head_gives_the_same_among_the_tokens_of_the_data(tokenizer, tiny_model):
    (packed,) = pack_dialogues([renderer(tokenizer).encode(turns("как дела?", "хорошо"))], tokens=1000, seed=0)
    words = DataVocabulary.from_packs([packed])
    with torch.inference_mode():
        whole = tiny_model(input_ids=packed["input_ids"]).logits[0, :-1]
        targets = packed["labels"][0, 1:]
        likely = torch.full_like(whole, -torch.inf)
        likely[:, words.tokens] = whole[:, words.tokens]
        expected = cross_entropy(likely, targets, ignore_index=IGNORED, reduction="sum")
        with words.narrow_head(tiny_model):
            narrow = tiny_model(input_ids=packed["input_ids"]).logits[0, :-1]
            torch.testing.assert_close(narrow, whole[:, words.tokens])
            assert float(pack_loss(tiny_model, words.relabel(packed))) == pytest.approx(float(expected), rel=1e-5)
        assert torch.equal(tiny_model(input_ids=packed["input_ids"]).logits[0, :-1], whole)


def test_packs_hold_what_they_have_room_for_in_an_order_that_the_seed_decides(tokenizer):
    encoded = [renderer(tokenizer).encode(turns("вопрос", f"ответ {number}")) for number in range(20)]
    packs = pack_dialogues(encoded, tokens=100, seed=0)
    assert sum(one["input_ids"].numel() for one in packs) == sum(len(one.ids) for one in encoded)
    assert max(one["input_ids"].numel() for one in packs) <= 100
    assert torch.equal(packs[0]["input_ids"], pack_dialogues(encoded, tokens=100, seed=0)[0]["input_ids"])
    assert not torch.equal(packs[0]["labels"], pack_dialogues(encoded, tokens=100, seed=1)[0]["labels"])


def example(*messages):
    """A turn for each message; the text of each is its number."""
    return Example(turns(*map(str, messages)), tuple((message,) for message in messages))


def latest(count):
    return lambda example: example.last_turns(count)


def test_an_answer_that_another_dialogue_repeats_is_not_learned_again():
    short, long, other = example(1, 2), example(1, 2, 3, 4), example(5, 6)
    assert cover_answers([short, long, other], latest(8)) == [long, other]


def test_windows_that_slide_over_a_long_session_are_learned_one_after_the_other():
    sliding = [example(end - 3, end - 2, end - 1, end) for end in range(4, 41, 2)]
    assert [one.answer for one in cover_answers(sliding, latest(8))] == [str(end) for end in range(4, 41, 4)]


def test_an_answer_that_is_cut_off_of_a_longer_dialogue_is_learned_from_its_own():
    short, long = example(1, 2), example(1, 2, 3, 4, 5, 6)
    assert cover_answers([short, long], latest(4)) == [short, long.last_turns(4)]


def test_an_answer_whose_question_is_cut_off_is_learned_from_its_own_dialogue():
    short, long = example(1, 2), example(1, 2, 3, 4)
    assert cover_answers([short, long], latest(3)) == [short, long.last_turns(3)]


def test_a_turn_of_which_only_the_beginning_was_answered_is_still_learned_whole():
    whole = Example(turns("а", "б"), ((1,), (2, 3)))
    reply = Example(turns("б", "в"), ((2,), (4,)))
    assert cover_answers([whole, reply], latest(8)) == [whole, reply]


def test_the_oldest_turns_go_first_where_room_is_short(tokenizer):
    room = renderer(tokenizer, limit=60)
    long = turns(*["двадцать букв сказано"] * 6)
    count = room.count_fitting(long)
    assert 2 <= count < 6
    assert room.encode(long) == room.encode(long[-count:])
    assert room.count_fitting(turns("вопрос" * 100, "ответ")) == 2


def test_a_thought_is_not_learned_nor_shown(tmp_path):
    """An export has what this bot answered before thoughts were hidden."""

    def dialogue(*texts):
        messages = [{"role": turn.role.value, "content": turn.text} for turn in turns(*texts)]
        return json.dumps({"messages": messages, "rows": [[place] for place in range(len(texts))]}) + "\n"

    (tmp_path / "train.jsonl").write_text(
        dialogue("раз <think>?", "<think>Тайна")
        + dialogue("раз <think>?", "<think>Тайна", "два?", "<think>Тайна</think>\n\nда"),
        encoding="utf-8",
    )
    (example,) = read_examples(tmp_path, Part.TRAIN)
    assert [turn.text for turn in example.turns] == ["раз <think>?", "два?", "да"]
    assert example.rows == ((0,), (2,), (3,))
