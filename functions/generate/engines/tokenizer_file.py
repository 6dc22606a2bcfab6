"""`tokenizer.json` as it loads fastest: for Gemma's 262,144 tokens in a third of the time."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from functions.generate.engines.gguf.merges import BYTE, Merge, drop_unused_merges, index_merges

FILE_NAME = "tokenizer.json"


def write(raw: Any, directory: Path) -> None:
    """Write `raw`, a `tokenizers.Tokenizer`, to `directory`; what it makes of a text stays the same. Raises OSError."""
    said = json.loads(raw.to_str())
    said["model"] = _light(said["model"])
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    (directory / FILE_NAME).write_text(text, encoding="utf-8")


def _light(model: Mapping[str, Any]) -> dict[str, Any]:
    vocabulary: Any = model.get("vocab")
    light = dict(model)
    if isinstance(vocabulary, dict):
        # The reader sorts them first, which is quick if they are.
        light["vocab"] = {token: vocabulary[token] for token in sorted(vocabulary)}
    merges: list[Merge] = [(left, right) for left, right in model.get("merges") or ()]
    if merges and _plain(model):
        several_ways = len({left + right for left, right in merges}) < len(merges)
        fallbacks = {token for token in vocabulary if BYTE.fullmatch(token)}
        light["merges"] = _joined(
            drop_unused_merges(index_merges(merges), fallbacks).as_texts() if several_ways else merges
        )
    return light


def _joined(merges: list[Merge]) -> list[str] | list[Merge]:
    """One text a merge, as in older files, which is read faster; as they are if that could be misread."""
    texts = [f"{left} {right}" for left, right in merges]
    clear = all(text.count(" ") == 1 and not text.startswith("#version") for text in texts)
    return texts if clear else merges


def _plain(model: Mapping[str, Any]) -> bool:
    """Whether a merge is nothing but two spellings put together, and always made."""
    return not any(model.get(name) for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"))
