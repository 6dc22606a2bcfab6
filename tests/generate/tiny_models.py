"""Tiny models of real architectures: their own configurations shrunk, weights at random, tokenizers of their kind.

`make("qwen3")` gives one in a second, the same each time; `save` writes it as a hub's directory. The weights are
scaled so that greedy tokens hardly repeat, and two that agree on 20 of them agree on more than chance.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GraniteConfig,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from functions.generate.prompts.formats import FIRST_SPEAKER, SECOND_SPEAKER

CONTEXT = 512
WINDOW = 16
"""Tokens that the sliding layers see: less than most prompts."""
_SIZE = 420
_CORPUS = [
    "Привет! Как дела? Хорошо, спасибо, а у тебя? Тоже неплохо, вчера был в кино.",
    "Какая столица Франции? Париж. А сколько будет два и два? Четыре, если не ошибаюсь.",
    "Расскажи о себе. Я люблю читать книги и гулять по городу, когда нет дождя.",
    "Hello! How are you? Fine, thanks, and you? What is the capital of France? Paris.",
]


@dataclass(frozen=True, slots=True)
class Tiny:
    model: Any
    tokenizer: Any


@dataclass(frozen=True, slots=True)
class _Kind:
    config: Callable[..., PreTrainedConfig]
    tokenizer: Callable[[], Any]


def make(name: str, *, seed: int = 0, **changes: Any) -> Tiny:
    """The tiny model of the kind `name` (see `KINDS`); `changes` are of its configuration."""
    kind = KINDS[name]
    tokenizer = kind.tokenizer()
    ids = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = kind.config(**{"vocab_size": len(tokenizer), **ids, **changes})
    return Tiny(random_model(config, seed=seed), tokenizer)


def save(name: str, directory: Path, *, seed: int = 0, **changes: Any) -> Path:
    """`make`, written to `directory` as a model of the hub is: without a card of ours."""
    tiny = make(name, seed=seed, **changes)
    tiny.model.save_pretrained(directory)
    tiny.tokenizer.save_pretrained(directory)
    return directory


def random_model(config: PreTrainedConfig, *, seed: int = 0, balanced: bool = True) -> Any:
    """A causal language model of `config` with weights that make it write without repeating itself."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                _shuffle(name, parameter)
            if balanced:
                _balance(model)
    return model


def _shuffle(name: str, parameter: Any) -> None:
    """Norms and biases get what would be missed if they were left out, and attention looks at few tokens."""
    noise = torch.randn_like(parameter)
    if parameter.dim() == 1:
        parameter.add_(0.3 * noise + (1.5 if "q_norm" in name or "k_norm" in name else 0.0))
    else:
        inputs = parameter.shape[0 if ".c_" in name else -1]  # GPT-2's are the other way round
        parameter.copy_(2.5 * noise / math.sqrt(inputs))


def _balance(model: Any) -> None:
    """Tokens quieter than what the layers add: tied to the output, they would repeat for ever. Logits as usual."""
    some = torch.arange(9)[None]
    tokens, multiplier = model.get_input_embeddings(), getattr(model.config, "embedding_multiplier", 1.0)
    tokens.weight.mul_(0.25 / float(tokens(some).std() * multiplier))
    last = getattr(model.base_model, "norm", None) or model.base_model.ln_f
    one = 1.0 if "Gemma" in type(last).__name__ else 0.0  # Gemma writes what a weight has beyond it
    last.weight.add_(one).mul_(2.5 / float(model(some).logits.std())).sub_(one)


def _like(config: type[PreTrainedConfig], **shape: Any) -> Callable[..., PreTrainedConfig]:
    """`config` with the peculiarities of the real model in `shape`, and the sizes that they have in common here."""
    common = {
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT,
    }
    return lambda **changes: config(**{**common, **shape, **changes})


def _gpt2(**changes: Any) -> PreTrainedConfig:
    return GPT2Config(**{"n_positions": CONTEXT, "n_embd": 64, "n_layer": 3, "n_head": 4, **changes})


def _bpe(vocabulary: dict[str, int], merges: list[tuple[str, str]], **how: Any) -> Tokenizer:
    return Tokenizer(models.BPE(vocabulary, merges, **how))


def _learned(raw: Tokenizer, alphabet: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Tokens and merges of the corpus, as `raw` splits it."""
    trainer = trainers.BpeTrainer(vocab_size=_SIZE, initial_alphabet=alphabet, show_progress=False)
    raw.train_from_iterator(_CORPUS, trainer)
    tokens = sorted(raw.get_vocab(), key=raw.token_to_id)
    known = set(tokens)
    # A pair that makes a known token is a merge; in the order in which they were learned.
    pairs = [
        (token[:cut], token[cut:])
        for token in tokens
        for cut in range(1, len(token))
        if {token[:cut], token[cut:]} <= known
    ]
    return tokens, pairs


def _byte_level(special: list[str], *, split: Any = None, added: list[str] | None = None, **how: Any) -> Tokenizer:
    """As GPT-2's, Qwen's and Llama 3's: each byte has a sign."""
    splitter = split or pre_tokenizers.ByteLevel(add_prefix_space=False)
    learning = Tokenizer(models.BPE())
    learning.pre_tokenizer = splitter
    tokens, merges = _learned(learning, pre_tokenizers.ByteLevel.alphabet())
    raw = _bpe({token: number for number, token in enumerate(tokens)}, merges, **how)
    raw.pre_tokenizer, raw.decoder = splitter, decoders.ByteLevel()
    raw.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    raw.add_tokens([AddedToken(token, normalized=False) for token in added or []])
    return raw


def _byte_fallback(special: list[str], *, before: Any) -> Tokenizer:
    """As Gemma's, Mistral's and Phi-3's: what has no token is written in tokens that stand for bytes."""
    learning = Tokenizer(models.BPE())
    learning.normalizer = before
    learning.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    tokens, merges = _learned(learning, [])
    everything = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), *tokens]
    vocabulary = {token: number for number, token in enumerate(everything)}
    raw = _bpe(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    raw.normalizer = before
    raw.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    raw.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    return raw


def _begun(raw: Tokenizer, bos: str) -> Tokenizer:
    raw.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, raw.token_to_id(bos))]
    )
    return raw


def _wrapped(raw: Tokenizer, template: str | None = None, **tokens: str) -> Any:
    made = PreTrainedTokenizerFast(tokenizer_object=raw, **tokens)
    made.chat_template = template
    return made


_CHATML = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}"
)
_PLAIN_CHATML = _CHATML + "{%- endif %}"
_THINKING_CHATML = (
    _CHATML + "{%- if enable_thinking is defined and not enable_thinking %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}"
    "{%- endif %}"
)
_HEADERS = (
    "{{- bos_token }}{%- for message in messages %}{{- '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n'"
    " + message.content | trim + '<|eot_id|>' }}{%- endfor %}{%- if add_generation_prompt %}"
    "{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"
)
_TURNS = (
    "{{ bos_token }}{%- for message in messages -%}"
    "{%- if (message.role == 'user') != (loop.index0 % 2 == 0) -%}{{ raise_exception('Roles must alternate') }}"
    "{%- endif -%}{{ '<start_of_turn>' + ('model' if message.role == 'assistant' else message.role) + '\n'"
    " + message.content | trim + '<end_of_turn>\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<start_of_turn>model\n' }}{%- endif -%}"
)
_INST = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}"
    "{{ '[INST] ' + message.content + ' [/INST]' }}{% else %}{{ ' ' + message.content + eos_token }}{% endif %}"
    "{% endfor %}"
)
_PHI = (
    "{% for message in messages %}{{ '<|' + message.role + '|>\n' + message.content + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
_GRANITE = (
    "{%- for message in messages %}{{- '<|start_of_role|>' + message.role + '<|end_of_role|>' + message.content"
    " + '<|end_of_text|>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|start_of_role|>assistant<|end_of_role|>' }}{%- endif %}"
)


def _gpt2_tokenizer() -> Any:
    """The original's: speaker tokens that were added without being called special."""
    raw = _byte_level(["<|endoftext|>"], added=[FIRST_SPEAKER, SECOND_SPEAKER])
    end = "<|endoftext|>"
    return _wrapped(raw, bos_token=end, eos_token=end, pad_token=end)


def _llama_tokenizer() -> Any:
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    raw = _begun(_byte_level(special, split=_by_words(3), ignore_merges=True), "<|begin_of_text|>")
    return _wrapped(raw, _HEADERS, bos_token="<|begin_of_text|>", eos_token="<|eot_id|>", pad_token="<|end_of_text|>")


def _qwen_tokenizer(template: str) -> Any:
    special, added = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], ["<think>", "</think>"]
    raw = _byte_level(special, split=_by_words(1), added=added)
    raw.normalizer = normalizers.NFC()
    return _wrapped(raw, template, eos_token="<|im_end|>", pad_token="<|endoftext|>")


def _gemma_tokenizer() -> Any:
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"]
    raw = _begun(_byte_fallback(special, before=normalizers.Replace(" ", "▁")), "<bos>")
    return _wrapped(raw, _TURNS, bos_token="<bos>", eos_token="<eos>", unk_token="<unk>", pad_token="<pad>")


def _spaced(special: list[str], template: str, end: str) -> Any:
    """As Llama 2's: a space is put before the text."""
    before = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    raw = _byte_fallback(["<unk>", "<s>", "</s>", *special], before=before)
    strip = decoders.Strip(" ", 1, 0)
    raw.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), strip])
    return _wrapped(_begun(raw, "<s>"), template, bos_token="<s>", eos_token=end, unk_token="<unk>", pad_token="</s>")


def _granite_tokenizer() -> Any:
    special = ["<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>"]
    end = "<|end_of_text|>"
    return _wrapped(_byte_level(special), _GRANITE, bos_token=end, eos_token=end, pad_token=end)


def _by_words(digits: int) -> Any:
    """Words with the sign before them, at most so many digits at once."""
    words = rf"[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,{digits}}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+"
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


_LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}

KINDS: dict[str, _Kind] = {
    "gpt2": _Kind(_gpt2, _gpt2_tokenizer),
    "llama": _Kind(
        _like(LlamaConfig, head_dim=16, tie_word_embeddings=True, rope_parameters=_LLAMA3_ROPE, rms_norm_eps=1e-5),
        _llama_tokenizer,
    ),
    "qwen2": _Kind(
        _like(
            Qwen2Config,
            tie_word_embeddings=True,
            rope_parameters={"rope_type": "default", "rope_theta": 1000000.0},
            use_sliding_window=False,
            sliding_window=WINDOW,
            max_window_layers=2,
        ),
        lambda: _qwen_tokenizer(_PLAIN_CHATML),
    ),
    "qwen3": _Kind(
        _like(
            Qwen3Config,
            head_dim=32,
            tie_word_embeddings=True,
            rope_parameters={"rope_type": "default", "rope_theta": 1000000.0},
        ),
        lambda: _qwen_tokenizer(_THINKING_CHATML),
    ),
    "gemma3": _Kind(
        _like(
            Gemma3TextConfig,
            head_dim=32,
            num_key_value_heads=1,
            num_hidden_layers=4,
            sliding_window=WINDOW,
            layer_types=["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"],
            query_pre_attn_scalar=32,
        ),
        _gemma_tokenizer,
    ),
    "mistral": _Kind(_like(MistralConfig, sliding_window=None, head_dim=16), lambda: _spaced([], _INST, "</s>")),
    "phi3": _Kind(
        _like(Phi3Config, num_key_value_heads=4, sliding_window=None, original_max_position_embeddings=CONTEXT),
        lambda: _spaced(["<|user|>", "<|assistant|>", "<|system|>", "<|end|>", "<|endoftext|>"], _PHI, "<|end|>"),
    ),
    "granite": _Kind(
        _like(
            GraniteConfig,
            tie_word_embeddings=True,
            embedding_multiplier=12.0,
            attention_multiplier=0.0625,
            residual_multiplier=0.22,
            logits_scaling=8.0,
        ),
        _granite_tokenizer,
    ),
}
"""In the sizes of real ones: GPT-2 is ruDialoGPT, Llama 3.2 1B, Qwen2.5 0.5B, Qwen3 0.6B, Gemma 3 270M and 1B,
Mistral 7B v0.3, Phi-3 mini 4k and Granite 3 2B."""


def greedy(
    model: Any, prompt: Sequence[int], ends: Sequence[int], new: int, *, forbidden: Sequence[int] = ()
) -> list[int]:
    """The tokens that transformers writes after `prompt`, one at least and `new` at most, none of them `forbidden`."""
    ids = torch.tensor([prompt])
    with torch.inference_mode():
        output = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            min_new_tokens=1,
            max_new_tokens=new,
            suppress_tokens=list(forbidden) or None,
            eos_token_id=list(ends),
            pad_token_id=ends[0],
        )
    return [int(token) for token in output[0, len(prompt) :]]
