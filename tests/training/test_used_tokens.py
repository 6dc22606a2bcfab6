"""An exported model says which tokens its owner's answers are written with."""

import json

from functions.generate.prompts.encoding import Encoder
from functions.generate.prompts.formats import DialogueFormat
from training.export import learned_answers, tokens_of_answers
from training.fit.lessons import Renderer


def renderer(tokenizer):
    return Renderer(DialogueFormat(), Encoder(tokenizer), 128)


def test_a_token_is_named_that_several_answers_are_written_with(tokenizer):
    ordinary = {*tokenizer.encode(" привет\n"), *tokenizer.encode(" привет 日\n")}
    said = tokens_of_answers(["привет", "привет 日", "привет 日 日 日本"], renderer(tokenizer))
    assert said == sorted(ordinary)
    assert not {*tokenizer.encode("本")} <= {*said}


def test_only_what_the_owner_wrote_counts_and_each_answer_once(tmp_path):
    def line(*texts):
        roles = ["user", "assistant"] * len(texts)
        messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
        return json.dumps({"messages": messages, "rows": [[n] for n in range(len(texts))]})

    (tmp_path / "train.jsonl").write_text("\n".join([line("a", "раз"), line("b", "раз"), line("c", "два", "d", "три")]))
    (tmp_path / "validation.jsonl").write_text(line("e", "четыре"))
    (tmp_path / "test.jsonl").write_text(line("f", "пять"))
    assert learned_answers(tmp_path) == ["раз", "три", "четыре"]
