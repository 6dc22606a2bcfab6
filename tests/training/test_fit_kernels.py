"""The compiled operations compute what those of torch do, and a machine without a compiler does without them."""

import pytest
import torch

from training.fit.kernels import Kernels, compiled
from training.fit.operations import ROWS, Operations, operations

TOKENS, WIDTH, HEADS = 37, 48, 3

needs_compiler = pytest.mark.skipif(compiled() is None, reason="there is no C compiler")


def drawn(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(torch.bfloat16)


def waves():
    angles = drawn(TOKENS, 1, WIDTH // 2, seed=9).float()
    return angles.cos(), angles.sin()


def normalise(tensors, of):
    gain, x = tensors(WIDTH, 1).float(), tensors(TOKENS, WIDTH, 2)
    result, inverse = of.normalise(x, gain, 1e-6)
    return result, of.normalise_backward(tensors(TOKENS, WIDTH, 3), x, gain, inverse)


def normalise_and_rotate(tensors, of):
    gain, x = tensors(WIDTH, 1).float(), tensors(TOKENS, HEADS, WIDTH, 2)
    cos, sin = waves()
    result, inverse = of.normalise_and_rotate(x, gain, 1e-6, cos, sin)
    gradient = tensors(TOKENS, HEADS, WIDTH, 3)
    return result, of.normalise_and_rotate_backward(gradient, x, gain, inverse, cos, sin)


def gate(tensors, of):
    closed_and_open = torch.tensor([-1e6, -60.0, -5.0, 0.0, 5.0, 60.0, 1e6]).repeat(TOKENS, 1)
    x = torch.cat([4 * tensors(TOKENS, WIDTH, 1), closed_and_open.to(tensors(1, 0).dtype)], -1)
    up, gradient = tensors(*x.shape, 2), tensors(*x.shape, 3)
    result, kept = of.gate(x, up)
    return result, *of.gate_backward(gradient, up, *kept)


def attention(queries, before, window):
    def softmax(tensors, of):
        keys = before + queries
        scores, gradient = 4 * tensors(queries * HEADS, keys, 1), tensors(queries * HEADS, keys, 2)
        shares = of.softmax(scores, queries, before, window).clone()
        return shares, of.softmax_backward(gradient, shares)

    return softmax


def in_bfloat16(*shape):
    return drawn(*shape[:-1], seed=shape[-1])


def in_float32(*shape):
    return in_bfloat16(*shape).float()


@needs_compiler
@pytest.mark.parametrize(
    "calculate",
    [
        *(normalise, normalise_and_rotate, gate),
        *(attention(5, 0, 4096), attention(7, 9, 3), attention(ROWS, 2 * ROWS, 200), attention(1, 0, 1)),
    ],
)
def test_compiled_operations_are_as_exact_as_bfloat16_allows(calculate):
    exact = calculate(in_float32, Operations())
    for one, true in zip(calculate(in_bfloat16, Kernels(compiled())), exact, strict=True):
        assert one.dtype is torch.bfloat16
        torch.testing.assert_close(one.float(), true, rtol=2**-7, atol=2**-8)


@needs_compiler
def test_a_value_that_is_not_a_number_stays_one():
    kernels, spoilt = Kernels(compiled()), torch.full((2, 8), float("nan"), dtype=torch.bfloat16)
    assert kernels.normalise(spoilt, torch.ones(8), 1e-6)[0].isnan().all()
    assert kernels.gate(spoilt, spoilt)[0].isnan().all()
    assert kernels.softmax(spoilt.clone(), 2, 6, 8)[0, :7].isnan().all()


@needs_compiler
def test_tiny_numbers_stay_what_they_are_when_the_library_is_loaded():
    assert torch.tensor(1e-40) * 1 != 0


def test_only_bfloat16_is_compiled():
    assert isinstance(operations(torch.float32), Operations)
    assert isinstance(operations(torch.bfloat16), Operations if compiled() is None else Kernels)


@pytest.mark.parametrize("compiler", ["", "false"])
def test_without_a_compiler_that_works_torch_computes(compiler, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    if compiler:
        monkeypatch.setenv("CC", "/bin/false")
    compiled.cache_clear()
    try:
        assert isinstance(operations(torch.bfloat16), Operations)
    finally:
        compiled.cache_clear()
