"""What a layer computes besides products, with torch: for any dtype, on any machine.

`Kernels` computes the same in bfloat16 if there is a compiler. Norms and gates are computed in float32.
"""

from functools import lru_cache

import torch
from torch import Tensor

from training.fit.kernels import Kernels, compiled

ROWS = 128
"""Tokens of a block of queries, which are multiplied with the keys up to its end only."""
_GELU, _CUBIC = 2 * (2 / torch.pi) ** 0.5, 0.044715


class Operations:
    """Each of these has a backward pass, which takes what the forward pass returned beside its result."""

    def normalise(self, x: Tensor, gain: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
        """Return the root mean square norm times `gain`, and the inverse of the root mean square."""
        normal, inverse = _normalise(x, epsilon)
        return normal.mul_(gain).to(x.dtype), inverse

    def normalise_backward(self, gradient: Tensor, x: Tensor, gain: Tensor, inverse: Tensor) -> Tensor:
        return _normalise_backward(gradient.float() * gain, x, inverse)

    def normalise_and_rotate(
        self, x: Tensor, gain: Tensor, epsilon: float, cos: Tensor, sin: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the norm of each head in its rotary position, and the inverse of the root mean square.

        `x`: (tokens, heads, features). `cos` and `sin`: (tokens, 1, half the features), in float32.
        """
        normal, inverse = _normalise(x, epsilon)
        return _rotate(normal.mul_(gain), cos, sin).to(x.dtype), inverse

    def normalise_and_rotate_backward(
        self, gradient: Tensor, x: Tensor, gain: Tensor, inverse: Tensor, *waves: Tensor
    ) -> Tensor:
        cos, sin = waves
        return _normalise_backward(_rotate(gradient.float(), cos, -sin).mul_(gain), x, inverse)

    def gate(self, gate: Tensor, up: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the tanh approximation of GELU of `gate`, times `up`.

        The tanh is computed as a sigmoid, which is four times as fast, and the slope with it, while all of that is at
        hand.
        """
        full = gate.float()
        square = full * full
        opened = torch.addcmul(full, square, full, value=_CUBIC).mul_(_GELU).sigmoid_()
        activated = (full * opened).to(gate.dtype)
        slope = square.mul_(3 * _CUBIC).add_(1).mul_(full).mul_(_GELU)
        slope = slope.addcmul_(slope, opened, value=-1).add_(1).mul_(opened).to(gate.dtype)
        return activated * up, (activated, slope)

    def gate_backward(self, gradient: Tensor, up: Tensor, *kept: Tensor) -> tuple[Tensor, Tensor]:
        activated, slope = kept
        return (gradient * up).mul_(slope), gradient * activated

    def softmax(self, scores: Tensor, queries: int, before: int, window: int) -> Tensor:
        """Return the shares of the keys, given the scores of a block of queries: (queries * heads, keys).

        A query sees the last `window` keys up to itself; `before` keys precede the first query.
        """
        mask = _mask(before, queries, window, scores.dtype)
        scores.view(queries, -1, scores.shape[1]).add_(mask)
        return torch.softmax(scores, -1)

    def softmax_backward(self, gradient: Tensor, shares: Tensor) -> Tensor:
        """Return the gradient of the scores; `gradient` is overwritten."""
        along = torch.linalg.vecdot(gradient.float(), shares.float()).to(gradient.dtype).unsqueeze(-1)
        return gradient.sub_(along).mul_(shares)


def operations(dtype: torch.dtype) -> Operations | Kernels:
    """Return the fastest that there are for tensors of `dtype`."""
    library = compiled() if dtype is torch.bfloat16 else None
    return Operations() if library is None else Kernels(library)


def _normalise(x: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """Return the norm in float32, and the inverse of the root mean square."""
    full = x.float()
    square = torch.linalg.vector_norm(full, dim=-1, keepdim=True).square_()
    inverse = square.div_(x.shape[-1]).add_(epsilon).rsqrt_()
    return full * inverse, inverse


def _normalise_backward(gradient: Tensor, x: Tensor, inverse: Tensor) -> Tensor:
    normal = x.float() * inverse
    along = torch.linalg.vecdot(gradient, normal).div_(x.shape[-1]).unsqueeze(-1)
    return gradient.addcmul_(normal, along, value=-1).mul_(inverse).to(x.dtype)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    low, high = x.chunk(2, dim=-1)
    rotated = torch.empty_like(x)
    left, right = rotated.chunk(2, dim=-1)
    torch.mul(low, cos, out=left)
    torch.mul(high, cos, out=right)
    left.addcmul_(high, sin, value=-1)
    right.addcmul_(low, sin)
    return rotated


def _mask(before: int, queries: int, window: int, dtype: torch.dtype) -> Tensor:
    """Return what is added to the scores, of shape (queries, 1, keys); `before`: keys before the first query."""
    reach = 1 << before.bit_length()
    band = _band(reach, window, dtype)
    return band[:queries, None, reach - before : reach + queries]


@lru_cache(maxsize=16)
def _band(reach: int, window: int, dtype: torch.dtype) -> Tensor:
    """Return the mask of a block of queries with `reach` keys before them."""
    distance = torch.arange(ROWS)[:, None] + reach - torch.arange(reach + ROWS)[None]
    hidden = (distance < 0) | (distance >= window)
    return torch.zeros(hidden.shape, dtype=dtype).masked_fill_(hidden, -torch.inf)
