"""The weights that the ways to generate are compared on: a GPT-2 of 355M, random, always the same.

`python -m benchmarks.weights` makes them under build/bench, once: for transformers, and for OpenVINO in 8 and 4 bits.
"""

from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from functions.generate.engines.openvino_graph import graph
from functions.generate.engines.openvino_weights import quantize
from functions.generate.engines.quiet_openvino import ov

HERE = Path(__file__).parents[1] / "build" / "bench"
REFERENCE = HERE / "gpt2-355m"
VOCABULARY = 50_259  # ruDialoGPT-medium's: GPT-2's and two speakers


def openvino(bits: int) -> Path:
    return HERE / f"gpt2-355m-int{bits}"


def make() -> None:
    if not (REFERENCE / "config.json").is_file():
        torch.manual_seed(0)
        config = GPT2Config(vocab_size=VOCABULARY, n_embd=1024, n_layer=24, n_head=16)
        GPT2LMHeadModel(config).save_pretrained(REFERENCE)
    for bits in (8, 4):
        if not (openvino(bits) / "openvino_model.xml").is_file():
            model = GPT2LMHeadModel.from_pretrained(REFERENCE).eval()
            converted = graph(model)
            quantize(converted, bits)
            openvino(bits).mkdir(exist_ok=True)
            model.config.save_pretrained(openvino(bits))
            ov.save_model(converted, openvino(bits) / "openvino_model.xml", compress_to_fp16=False)


if __name__ == "__main__":
    make()
