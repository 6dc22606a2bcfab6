"""The weights that the ways to generate are compared on: a GPT-2 of 355M, random, always the same.

`python -m benchmarks.weights` makes them under build/bench, once: for transformers, for OpenVINO in 8 and 4 bits, for
llama.cpp in 8 (Q8_0), and for CTranslate2 where that is installed. The words of its vocabulary are w0, w1 and so on;
nothing ends an answer.
"""

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from benchmarks import gpt2_gguf
from events.files import PARTIAL
from functions.generate.engines.openvino.export.equalizing import equalize
from functions.generate.engines.openvino.export.graph_passes import strip_aliases
from functions.generate.engines.openvino.export.transformers_graph import trace_graph
from functions.generate.engines.openvino.export.weights import quantize
from functions.generate.engines.openvino.library import ov
from functions.generate.engines.serving_file import ServingInfo
from functions.generate.models.card import ModelCard
from functions.generate.prompts.formats import FormatName

HERE = Path(__file__).parents[1] / "build" / "bench"
REFERENCE = HERE / "gpt2-355m"
CTRANSLATE2 = HERE / "gpt2-355m-ctranslate2-int8"
LLAMA_CPP = HERE / "gpt2-355m-q8_0.gguf"
VOCABULARY = 50_259  # ruDialoGPT-medium's: GPT-2's and two speakers
CONTEXT = 1024
_MADE_BY = 3
"""Raise it when the engine makes other weights of the same model."""


def openvino(bits: int) -> Path:
    return HERE / f"gpt2-355m-int{bits}-{_MADE_BY}"


def make() -> None:
    if not (REFERENCE / "tokenizer.json").is_file():
        torch.manual_seed(0)
        config = GPT2Config(vocab_size=VOCABULARY, n_embd=1024, n_layer=24, n_head=16, n_positions=CONTEXT)
        GPT2LMHeadModel(config).save_pretrained(REFERENCE)
        words(VOCABULARY).save_pretrained(REFERENCE)
    for bits in (8, 4):
        if not (openvino(bits) / "serving.json").is_file():
            _convert(bits)
    if not LLAMA_CPP.is_file():
        _write_gguf()
    if find_spec("ctranslate2") and not (CTRANSLATE2 / "model.bin").is_file():
        from ctranslate2.converters import TransformersConverter  # noqa: PLC0415

        TransformersConverter(str(REFERENCE)).convert(str(CTRANSLATE2), quantization="int8", force=True)


def _convert(bits: int) -> None:
    directory = openvino(bits)
    model = GPT2LMHeadModel.from_pretrained(REFERENCE).eval()
    converted = trace_graph(model)
    sample = np.random.default_rng(0).integers(VOCABULARY, size=CONTEXT // 2)
    quantize(converted, bits, equalize(converted, sample.tolist()))
    strip_aliases(converted)
    directory.mkdir(exist_ok=True)
    model.config.save_pretrained(directory)
    ov.save_model(converted, directory / "openvino_model.xml", compress_to_fp16=False)
    shutil.copy(REFERENCE / "tokenizer.json", directory)
    card = ModelCard(name="gpt2-355m-random", format=FormatName.DIALOGUE)
    ServingInfo(card=card, context=CONTEXT, ends=()).write(directory)


def _write_gguf() -> None:
    partial = LLAMA_CPP.with_name(LLAMA_CPP.name + PARTIAL)
    model, tokenizer = GPT2LMHeadModel.from_pretrained(REFERENCE), PreTrainedTokenizerFast.from_pretrained(REFERENCE)
    gpt2_gguf.write(partial, model, tokenizer, end=tokenizer.eos_token_id, kind=GGMLQuantizationType.Q8_0)
    partial.rename(LLAMA_CPP)


def words(count: int) -> PreTrainedTokenizerFast:
    """A tokenizer of so many words."""
    unknown, end = "w0", "w1"
    raw = Tokenizer(models.WordLevel({f"w{number}": number for number in range(count)}, unk_token=unknown))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=raw, unk_token=unknown, bos_token=end, eos_token=end)


if __name__ == "__main__":
    make()
