"""The graph of a GGUF file's model, built by hand: the same as `export.transformers_graph` traces, without torch."""

from collections.abc import Mapping
from dataclasses import dataclass

from functions.generate.engines.gguf.header import Header
from functions.generate.engines.gguf.kinds import EMBEDDING, TIED, head_size
from functions.generate.engines.gguf.layers import attention_width, attention_windows
from functions.generate.engines.gguf.weights import Floats
from functions.generate.engines.openvino.export import gguf_positions
from functions.generate.engines.openvino.export.graph_passes import check_attention, lift_logits
from functions.generate.engines.openvino.export.layers import (
    Angles,
    KeyValueCache,
    Node,
    angles,
    attend,
    join_heads,
    linear,
    mask,
    matrix,
    number,
    rms_norm,
    rotate,
    split_heads,
)
from functions.generate.engines.openvino.library import ops, ov


def build_graph(header: Header, weights: Mapping[str, Floats]) -> ov.Model:
    """Inputs and outputs as `export.transformers_graph.trace_graph`. Raises Unsupported."""
    tokens = {
        name: ops.parameter([-1, -1], ov.Type.i64, name=name)
        for name in ("input_ids", "attention_mask", "position_ids")
    }
    beams = ops.parameter([-1], ov.Type.i32, name="beam_idx")
    inputs = {**tokens, "beam_idx": beams}
    for name, node in inputs.items():
        node.output(0).get_tensor().set_names({name})
    logits, memory = _Builder(header, weights).built(**tokens, beam_idx=beams)
    logits.output(0).get_tensor().set_names({"logits"})
    model = ov.Model([ops.result(logits)], memory.sinks, list(inputs.values()), "gguf")
    lift_logits(model)
    check_attention(model, attention_windows(header))
    return model


@dataclass(frozen=True, slots=True)
class _Step:
    """What all layers share."""

    memory: KeyValueCache
    turns: Mapping[int | None, Angles]
    """By the window of a layer."""
    masks: dict[int | None, Node]
    ids: Node
    attention_mask: Node

    def mask(self, window: int | None) -> Node:
        if window not in self.masks:
            self.masks[window] = mask(self.ids, self.attention_mask, self.memory.before, window)
        return self.masks[window]


class _Builder:
    def __init__(self, header: Header, weights: Mapping[str, Floats]) -> None:
        self._header = header
        self._weights = weights
        self._gemma = header.architecture == "gemma3"
        self._epsilon = float(header.value("attention.layer_norm_rms_epsilon"))
        self._heads = int(header.value("attention.head_count"))
        self._fewer_heads = int(header.value("attention.head_count_kv", self._heads))
        self._size = head_size(header)
        self._scale = attention_width(header) ** -0.5

    def built(
        self, input_ids: Node, attention_mask: Node, position_ids: Node, beam_idx: Node
    ) -> tuple[Node, KeyValueCache]:
        """The logits, and what is remembered."""
        embedding = matrix(self._weights[EMBEDDING])
        hidden = ops.gather(embedding, ops.convert(input_ids, "i32"), ops.constant(0))
        if self._gemma:
            hidden = ops.multiply(hidden, number(self._header.value("embedding_length") ** 0.5))
        step = _Step(KeyValueCache(input_ids, beam_idx), self._turns(position_ids), {}, input_ids, attention_mask)
        for layer, window in enumerate(attention_windows(self._header)):
            hidden = self._layer(f"blk.{layer}", hidden, step, window)
        hidden = self._normed(hidden, "output_norm")
        logits = self._linear(hidden, "output") if TIED in self._weights else linear(hidden, embedding)
        return self._capped(logits), step.memory

    def _turns(self, positions: Node) -> dict[int | None, Angles]:
        """Gemma's windowed layers turn otherwise."""
        kinds = {
            window: gguf_positions.windowed_frequencies(self._header)
            if window
            else gguf_positions.global_frequencies(self._header, self._weights)
            for window in set(attention_windows(self._header))
        }
        return {window: angles(positions, turning.frequencies, turning.scale) for window, turning in kinds.items()}

    def _layer(self, name: str, hidden: Node, step: _Step, window: int | None) -> Node:
        attention = self._attention(name, self._normed(hidden, f"{name}.attn_norm"), step, window)
        hidden = ops.add(hidden, self._after(attention, f"{name}.post_attention_norm"))
        fed = self._feed_forward(name, self._normed(hidden, f"{name}.ffn_norm"))
        return ops.add(hidden, self._after(fed, f"{name}.post_ffw_norm"))

    def _attention(self, name: str, inputs: Node, step: _Step, window: int | None) -> Node:
        query = self._turned(name, "q", self._heads, inputs, step.turns[window])
        key = step.memory.extend(self._turned(name, "k", self._fewer_heads, inputs, step.turns[window]))
        value = step.memory.extend(self._projected(name, "v", self._fewer_heads, inputs))
        seen = attend(
            query, key, value, step.mask(window), scale=self._scale, shared_by=self._heads // self._fewer_heads
        )
        return self._linear(join_heads(seen, self._heads, self._size), f"{name}.attn_output")

    def _turned(self, name: str, which: str, heads: int, inputs: Node, by: Angles) -> Node:
        projected = self._projected(name, which, heads, inputs)
        return rotate(self._after(projected, f"{name}.attn_{which}_norm"), self._size, by)

    def _projected(self, name: str, which: str, heads: int, inputs: Node) -> Node:
        return split_heads(self._linear(inputs, f"{name}.attn_{which}"), heads, self._size)

    def _feed_forward(self, name: str, inputs: Node) -> Node:
        gate, up = (self._linear(inputs, f"{name}.ffn_{which}") for which in ("gate", "up"))
        act = ops.gelu(gate, "tanh") if self._gemma else ops.swish(gate)
        return self._linear(ops.multiply(act, up), f"{name}.ffn_down")

    def _linear(self, inputs: Node, name: str) -> Node:
        return linear(inputs, matrix(self._weights[f"{name}.weight"]), self._weights.get(f"{name}.bias"))

    def _after(self, outputs: Node, name: str) -> Node:
        """Normed, in architectures that do it there."""
        return self._normed(outputs, name) if f"{name}.weight" in self._weights else outputs

    def _normed(self, inputs: Node, name: str) -> Node:
        return rms_norm(inputs, self._weights[f"{name}.weight"], self._epsilon)

    def _capped(self, logits: Node) -> Node:
        cap = self._header.value("final_logit_softcapping")
        return ops.multiply(ops.tanh(ops.divide(logits, number(cap))), number(cap)) if cap else logits
