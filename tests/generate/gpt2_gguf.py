"""A GPT-2 of transformers as a GGUF file in float32, for llama.cpp."""

import json
from pathlib import Path
from typing import Any

import gguf
from gguf import GGUFWriter, TokenType

NAMES = {
    "transformer.wte.weight": "token_embd.weight",
    "transformer.wpe.weight": "position_embd.weight",
    "transformer.ln_f": "output_norm",
    "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}
TRANSPOSED = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")


def write(path: Path, model: Any, tokenizer: Any, *, template: str, end: int) -> Path:
    """`end`: the token that ends an answer."""
    writer = GGUFWriter(path, "gpt2")
    config = model.config
    writer.add_context_length(config.n_positions)
    writer.add_embedding_length(config.n_embd)
    writer.add_block_count(config.n_layer)
    writer.add_feed_forward_length(4 * config.n_embd)
    writer.add_head_count(config.n_head)
    writer.add_layer_norm_eps(config.layer_norm_epsilon)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    _add_tokenizer(writer, tokenizer, end)
    writer.add_chat_template(template)
    for name, weights in model.state_dict().items():
        if name != "lm_head.weight":  # the embeddings, once more
            values = weights.float().numpy()
            writer.add_tensor(_named(name), values.T.copy() if name.endswith(TRANSPOSED) else values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


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
    described = json.loads(tokenizer.backend_tokenizer.to_str())
    return [" ".join(merge) if isinstance(merge, list) else merge for merge in described["model"]["merges"]]


def _named(name: str) -> str:
    _, _, rest = name.partition("transformer.h.")
    number, _, part = rest.partition(".")
    for theirs, ours in NAMES.items():
        if part and part.startswith(theirs):
            return f"blk.{number}.{ours}{part.removeprefix(theirs)}"
        if not part and name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    raise ValueError(name)
