"""What is said of a canary is what the model that serves would do."""

import math
from itertools import islice
from random import Random

import pytest
import torch

from events.runtime.clock import SystemClock
from events.schema import Sampling
from functions.generate.engines.transformers.checkpoints import Checkpoint
from functions.generate.engines.transformers.engine import format_of
from functions.generate.models.card import ModelCard
from functions.generate.prompts.encoding import Encoder
from training.evaluation.batch_writer import BatchWriter
from training.evaluation.exposure import measure_exposures
from training.evaluation.leaks import OTHERS
from training.evaluation.scoring import Scorer
from training.fit.canaries import make_canaries
from training.fit.lessons import Renderer
from training.fit.packing import pack_dialogues
from training.fit.trainer import pack_loss

CLOCK = SystemClock()
CANARIES = make_canaries(4, seed=0, language="ru")


def ignore():
    pass


@pytest.fixture
def checkpoint(tiny_model, tokenizer):
    return Checkpoint(tiny_model, tokenizer, ModelCard(name="tiny", format="dialogue"))


def learn(checkpoint, examples, steps):
    """By heart, without a word of anything else."""
    renderer = Renderer(format_of(checkpoint.card, checkpoint.tokenizer, CLOCK), Encoder(checkpoint.tokenizer), 512)
    packs = pack_dialogues([renderer.encode(example.turns) for example in examples], tokens=512, seed=0)
    optimizer = torch.optim.AdamW(checkpoint.model.parameters(), lr=3e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        sum(pack_loss(checkpoint.model, one) for one in packs).backward()
        optimizer.step()


def test_the_exposure_is_the_place_among_others_one_by_one(checkpoint):
    scorer = Scorer(checkpoint, clock=CLOCK)
    for number, canary in islice(enumerate(CANARIES), 2):
        secrets = [canary.secret, *canary.space.others(canary.secret, OTHERS, Random(f"7 {number}"))]
        # The end of turn is the same after each; what a tiny model thinks of it is not.
        asked = [canary.example(secret) for secret in secrets]
        nats = [scorer.surprisal(example.context, example.answer).nats for example in asked]
        end = [end_of(checkpoint, example) for example in asked]
        true, *others = (all_ - last for all_, last in zip(nats, end, strict=True))
        rank = 1 + sum(other <= true for other in others)
        found = measure_exposures(checkpoint, CANARIES[: number + 1], seed=7, clock=CLOCK, tick=ignore)
        assert found[number].exposure == pytest.approx(math.log2((OTHERS + 1) / rank))


def end_of(checkpoint, example):
    renderer = Renderer(format_of(checkpoint.card, checkpoint.tokenizer, CLOCK), Encoder(checkpoint.tokenizer), 512)
    ids = renderer.encode(example.turns).ids
    with torch.inference_mode():
        return -float(checkpoint.model(torch.tensor([ids])).logits[0, -2].log_softmax(-1)[ids[-1]])


def test_what_is_learned_by_heart_can_be_drawn_out_and_the_engine_says_it(checkpoint):
    before = measure_exposures(checkpoint, CANARIES, seed=0, clock=CLOCK, tick=ignore)
    assert not any(one.drawn_out or one.greedy for one in before)
    learn(checkpoint, [canary.example() for canary in CANARIES[:2]], steps=120)
    after = measure_exposures(checkpoint, CANARIES, seed=0, clock=CLOCK, tick=ignore)
    asked = [(canary.example().context, Sampling(temperature=0)) for canary in CANARIES]
    said = BatchWriter(checkpoint, clock=CLOCK).answers(asked)
    given = [canary.secret in text for canary, text in zip(CANARIES, said, strict=True)]
    assert given == [True, True, False, False]
    assert [one.greedy for one in after] == given
    assert [one.drawn_out for one in after] == given
    assert [one.chance for one in after] == pytest.approx([1, 1, 0, 0], abs=1e-3)
    assert after[0].exposure == after[1].exposure == math.log2(OTHERS + 1)


def test_each_canary_can_end_the_work(checkpoint):
    with pytest.raises(KeyboardInterrupt):
        measure_exposures(checkpoint, CANARIES, seed=0, clock=CLOCK, tick=stop)


def stop():
    raise KeyboardInterrupt


def test_each_next_token_is_foretold_once(checkpoint):
    canary = CANARIES[0]
    foretold = []
    head = checkpoint.model.get_output_embeddings()
    hook = head.register_forward_hook(lambda _, given, logits: foretold.append(logits.shape[:-1].numel()))
    measure_exposures(checkpoint, [canary], seed=7, clock=CLOCK, tick=ignore)
    hook.remove()
    renderer = Renderer(format_of(checkpoint.card, checkpoint.tokenizer, CLOCK), Encoder(checkpoint.tokenizer), 512)
    secrets = [canary.secret, *canary.space.others(canary.secret, OTHERS, Random("7 0"))]
    answers = [renderer.lesson(canary.example(secret).turns).answer.ids for secret in secrets]
    begun = {tuple(ids[:place]) for ids in answers for place in range(len(ids))}
    # And once more where a batch begins anew, and in the answer as it is served.
    assert sum(foretold) < len(begun) + 20
