"""A copy of a model is what it was copied from, and made of nothing else."""

import torch

from functions.generate.engines.transformers.checkpoints import copy_in_dtype


def test_a_copy_is_the_model_and_nothing_is_drawn_for_it(tiny_model):
    """Random weights, to be replaced at once, took six of the nine seconds that loading takes."""
    ids = torch.tensor([[5, 6, 7]])
    with torch.random.fork_rng():
        before = torch.random.get_rng_state()
        copy = copy_in_dtype(tiny_model, torch.float32)
        assert torch.equal(torch.random.get_rng_state(), before)
    with torch.inference_mode():
        assert torch.equal(copy.eval()(ids).logits, tiny_model(ids).logits)
    assert copy.get_output_embeddings().weight is copy.get_input_embeddings().weight
