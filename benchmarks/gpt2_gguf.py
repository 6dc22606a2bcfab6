"""A GPT-2 of transformers as a GGUF file, for llama.cpp: for the benchmarks, and for tests of its server."""

import json
from pathlib import Path
from typing import Any

from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType, TokenType
from gguf.quants import quantize
from numpy.typing import NDArray

POSITIONS = "transformer.wpe.weight"
NAMES = {
    "transformer.wte.weight": "token_embd.weight",
    POSITIONS: "position_embd.weight",
    "transformer.ln_f": "output_norm",
    "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}
FILE_TYPES = {
    GGMLQuantizationType.F32: LlamaFileType.ALL_F32,
    GGMLQuantizationType.Q8_0: LlamaFileType.MOSTLY_Q8_0,
}
TRANSPOSED = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")


def write(
    path: Path,
    model: Any,
    tokenizer: Any,
    *,
    end: int,
    template: str | None = None,
    kind: GGMLQuantizationType = GGMLQuantizationType.F32,
) -> Path:
    """`end`: the token that ends an answer. `kind`: of the matrices; positions and vectors stay in float32."""
    writer = GGUFWriter(path, "gpt2")
    config = model.config
    writer.add_context_length(config.n_positions)
    writer.add_embedding_length(config.n_embd)
    writer.add_block_count(config.n_layer)
    writer.add_feed_forward_length(4 * config.n_embd)
    writer.add_head_count(config.n_head)
    writer.add_layer_norm_eps(config.layer_norm_epsilon)
    writer.add_file_type(FILE_TYPES[kind])
    _add_tokenizer(writer, tokenizer, end)
    if template:
        writer.add_chat_template(template)
    for name, weights in model.state_dict().items():
        if name != "lm_head.weight":  # the embeddings, once more
            _add_tensor(writer, name, weights.float().numpy(), kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tensor(writer: GGUFWriter, name: str, values: NDArray[Any], kind: GGMLQuantizationType) -> None:
    rows = values.T.copy() if name.endswith(TRANSPOSED) else values
    if rows.ndim == 1 or name == POSITIONS:
        kind = GGMLQuantizationType.F32
    writer.add_tensor(_named(name), quantize(rows, kind), raw_dtype=kind)


def _add_tokenizer(writer: GGUFWriter, tokenizer: Any, end: int) -> None:
    added = tokenizer.added_tokens_decoder
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([_kind(added.get(number)) for number in range(len(tokens))])
    writer.add_token_merges(_merges(tokenizer))
    writer.add_eos_token_id(end)
    writer.add_add_bos_token(False)


def _kind(added: Any) -> TokenType:
    if added is None:
        return TokenType.NORMAL
    return TokenType.CONTROL if added.special else TokenType.USER_DEFINED


def _merges(tokenizer: Any) -> list[str]:
    """llama.cpp wants one at least, even of a tokenizer of whole words."""
    described = json.loads(tokenizer.backend_tokenizer.to_str())
    merges = described["model"].get("merges") or [["w", "0"]]
    return [" ".join(merge) if isinstance(merge, list) else merge for merge in merges]


def _named(name: str) -> str:
    _, _, rest = name.partition("transformer.h.")
    number, _, part = rest.partition(".")
    for theirs, ours in NAMES.items():
        if part and part.startswith(theirs):
            return f"blk.{number}.{ours}{part.removeprefix(theirs)}"
        if not part and name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    raise ValueError(name)
