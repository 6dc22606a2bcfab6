"""A prepared model writes only what talk needs, where its vocabulary is large."""

from collections.abc import Collection
from typing import Any

import numpy as np

from functions.generate.engines.openvino.export import head
from functions.generate.engines.openvino.library import ov
from functions.generate.engines.serving_file import Described
from functions.generate.models import vocabulary


def narrowed(
    model: ov.Model, tokenizer: Any, described: Described, used: Collection[int]
) -> tuple[Described, head.Tokens | None]:
    """Narrow the head of `model` in place; return `described` with its rows, and its own order of tokens.

    `tokenizer` is a `tokenizers.Tokenizer`; `used` are the tokens of the owner's data. The model keeps its whole
    vocabulary, and the order is None, where talk needs that. Raises OtherHead if it isn't known how to narrow it.
    """
    always = {*described.ends, *described.special_ids, *used}
    kept = vocabulary.kept(tokenizer, always=always, size=head.rows(model))
    if kept is None:
        return described, None
    order = head.narrow(model, np.array(kept, dtype=np.int32))
    return described.model_copy(update={"rows": len(kept)}), order
