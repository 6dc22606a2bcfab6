"""A model directory for the OpenVINO engine from a GGUF file. Needs neither torch nor transformers."""

import json
from pathlib import Path
from typing import Any

from events.runtime.clock import Clock
from functions.generate.engines.gguf.adapters import read_weights
from functions.generate.engines.gguf.header import Header, UnreadableGGUF, read_header
from functions.generate.engines.gguf.kinds import refusal_reason
from functions.generate.engines.gguf.layers import base_config
from functions.generate.engines.gguf.tokenizer import LISTS, GGUFTokenizer, build_tokenizer
from functions.generate.engines.openvino.export.gguf_graph import build_graph
from functions.generate.engines.openvino.export.graph_passes import Unsupported
from functions.generate.engines.openvino.export.prepared import ServableModel, not_servable, write
from functions.generate.engines.serving_file_writer import describe_gguf_model, guess_card
from functions.generate.models.card import ModelCard
from functions.generate.models.sources import model_name, source_error
from functions.generate.models.vocabulary import read_used_tokens
from functions.generate.settings import Vocabulary


def export(
    path: Path,
    directory: Path,
    *,
    card: ModelCard | None,
    bits: int | None,
    vocabulary: Vocabulary = Vocabulary.TALK,
    adapter: Path | None = None,
    clock: Clock,
) -> str | None:
    """Write the model at `path` to `directory`; a guess takes the place of no card.

    The adapter in the directory `adapter` is merged into it: raises BadAdapter.

    Returns a remark, if there is one to make (see `export.prepared.write`).

    Raises SettingsError, one line, if it can't be read or this engine can't serve its kind, and OSError.
    """
    try:
        servable = _servable(path, card, adapter, clock)
    except UnreadableGGUF as error:
        raise source_error(str(path), str(error)) from None
    return write(servable, directory, bits=bits, vocabulary=vocabulary)


def _servable(path: Path, card: ModelCard | None, adapter: Path | None, clock: Clock) -> ServableModel:
    header = read_header(path, whole=LISTS)
    if why := refusal_reason(header):
        raise UnreadableGGUF(why)
    tokenizer = build_tokenizer(header)
    card = card or _guessed(path, tokenizer)
    # At once: a template that can't be followed is known before the work.
    about = describe_gguf_model(card, tokenizer, context=int(header.value("context_length")), clock=clock)
    try:
        model = build_graph(header, read_weights(path, header, adapter))
    except Unsupported as error:
        raise not_servable(card.name, error) from None
    config = json.dumps(_config(header, tokenizer), indent=2) + "\n"
    return ServableModel(model, tokenizer.raw, config, about, used=read_used_tokens(adapter) if adapter else ())


def _guessed(path: Path, tokenizer: GGUFTokenizer) -> ModelCard:
    vocabulary = tokenizer.raw.get_vocab()
    return guess_card(model_name(str(path)), vocabulary=vocabulary, chat_template=tokenizer.chat_template)


def _config(header: Header, tokenizer: GGUFTokenizer) -> dict[str, Any]:
    return {
        "model_type": "gemma3_text" if header.architecture == "gemma3" else header.architecture,
        **base_config(header),
        "eos_token_id": next(iter(tokenizer.ends), None),  # GenAI wants one; `ServingInfo` has them all
    }
