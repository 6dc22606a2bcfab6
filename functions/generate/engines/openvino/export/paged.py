"""Whether OpenVINO understands each layer's attention of a graph: GenAI makes it paged when it loads a model."""

from collections.abc import Sequence

from functions.generate.engines.openvino.library import ov, passes

_SLIDING = 10
"""The input of paged attention that says how many tokens a layer sees."""


class Unsupported(ValueError):
    """The model is built in a way that this engine can't run."""


def check(model: ov.Model, windows: Sequence[int | None]) -> None:
    """Raise Unsupported if paged attention would miss a layer, or one of `windows`; None sees all tokens."""
    paged = model.clone()
    passes.paged_attention_transformation(paged)
    nodes = [node for node in paged.get_ops() if node.get_type_name() == "PagedAttentionExtension"]
    sliding = [node for node in nodes if node.input_value(_SLIDING).get_node().get_type_name() != "Constant"]
    wanted = [window for window in windows if window]
    if (len(nodes), len(sliding)) != (len(windows), len(wanted)):
        raise Unsupported(
            f"attention of which {len(nodes)} of {len(windows)} layers are understood, "
            f"{len(sliding)} of {len(wanted)} sliding ones"
        )
