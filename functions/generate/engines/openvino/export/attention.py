"""Record what each layer of a model sees, and write its masks in the form that paged attention recognises."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from functions.generate.engines.openvino.export.graph_passes import Unsupported

_NAME = "timokha"
_jit: Any = torch.jit  # untyped
_FAR = 150_000
"""A place in a text, beyond any window."""
_STRANGE = {
    "softcap": "attention scores that are capped",
    "s_aux": "attention sinks",
    "position_bias": "attention that is biased by distance",
}
"""What a layer may pass along with its queries, and paged attention does not know."""


class Attention:
    """Replaces a model's attention inside `with`, and records what each layer sees."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._asked: list[int | None] = []
        """The windows of the masks that the model asks for, in their order, from a step that was not traced."""
        self._masks: list[tuple[Any, int | None]] = []
        self.windows: list[int | None] = []
        """Of the layers in the last step, in their order; None sees all."""

    def __enter__(self) -> Self:
        """Raises Unsupported if the model's attention can't be replaced."""
        AttentionInterface.register(_NAME, self._attend)
        AttentionMaskInterface.register(_NAME, self._mask)
        self._own = self._implementation
        self._model.set_attn_implementation(_NAME)
        if self._implementation != _NAME:
            raise Unsupported("attention of its own")
        return self

    def __exit__(self, *_: object) -> None:
        self._model.set_attn_implementation(self._own)

    @property
    def _implementation(self) -> str:
        return str(self._model.config.get_text_config()._attn_implementation)

    @contextmanager
    def step(self) -> Iterator[None]:
        """Around a call of the model; tracing makes several."""
        self._masks.clear()
        self.windows.clear()
        yield
        self._masks.clear()

    def _attend(self, module: Any, query: Any, key: Any, value: Any, attention_mask: Any, **how: Any) -> Any:
        for name, what in _STRANGE.items():
            if how.get(name) is not None:
                raise Unsupported(what)
        self.windows.append(self._window_of(attention_mask))
        return sdpa_attention_forward(module, query, key, value, attention_mask, **how)

    def _window_of(self, mask: Any) -> int | None:
        for known, window in self._masks:
            if mask is known:
                return window
        raise Unsupported("masks of its own")

    def _mask(
        self, *, q_length: Any, q_offset: Any, mask_function: Callable[..., Any], attention_mask: Any, **_: Any
    ) -> Any:
        if not _jit.is_tracing():
            self._asked[len(self._masks) :] = [_window(mask_function)]
        window = self._asked[len(self._masks)]
        mask = _written(attention_mask, q_length, q_offset, window)
        self._masks.append((mask, window))
        return mask


def _window(mask_function: Callable[..., Any]) -> int | None:
    """Return how many tokens, including itself, a token sees, or None for all. Raises Unsupported for other masks."""
    places = torch.tensor([0, 1, 17, _FAR // 2 + 1, _FAR])
    keys = torch.arange(_FAR + 2)
    zero = torch.zeros((), dtype=torch.long)
    try:
        seen = [mask_function(zero, zero, place, keys).expand(len(keys)) for place in places]
    except Exception:  # noqa: BLE001 - it may be written for other shapes
        raise Unsupported("masks of its own") from None
    width = int(seen[-1].sum())
    window = None if width > _FAR else width
    for place, row in zip(places, seen, strict=True):
        expected = (keys <= place) & (keys > place - width)
        if not torch.equal(row.to(torch.bool), expected):
            raise Unsupported("attention that sees neither all tokens nor a window of them")
    return window


def _written(attention_mask: Any, tokens: Any, before: Any, window: int | None) -> Any:
    key = torch.arange(attention_mask.shape[-1])[None, None, None, :]
    query = (torch.arange(tokens) + before)[None, None, :, None]
    seen = attention_mask.to(torch.bool)[:, None, None, :]
    if window is None:
        return (key <= query) & seen
    # Recognised by exactly these operations in this order: see gpt_oss_sliding_window_pattern in OpenVINO's
    # state_management_pattern.cpp. `export.transformers_graph` checks that it was.
    yes = torch.ones((), dtype=torch.bool)
    near = key > query + -window
    both = (yes & ((yes & near) & (key <= query))) & seen
    whole = both.expand(attention_mask.shape[0], 1, tokens, attention_mask.shape[1])
    return torch.where(whole, 0.0, -65504.0)[:, :, :, : attention_mask.shape[1]]
