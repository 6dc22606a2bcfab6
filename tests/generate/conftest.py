"""Tiny models made on the spot, and the real default model, prepared once in the user's cache."""

import os
from pathlib import Path
from typing import Any

import platformdirs
import pytest
import torch
from rich.console import Console
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from functions.generate.card import ModelCard
from functions.generate.default_model import prepare_default_model
from functions.generate.prompts import FIRST_SPEAKER, SECOND_SPEAKER, FormatName
from tests.generate.lessons import Taught, save_taught, save_thoughtful

CORPUS = ["Гость: как дела?\nТимоха: Хорошо, а у тебя?\n", "Guest: how are you?\nTimokha: Fine.\n"]
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CONTEXT = 256

# Threads wait for one another longer than a tiny model computes, above all where other tests run beside them: here,
# and in the processes that prepare a model.
torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")


def make_tokenizer() -> Any:
    """Byte-level, so it can write any text; the speaker tokens are added without being special, as they may be."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    special = ["<eos>", "<|im_start|>", "<|im_end|>", "<start_of_turn>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(CORPUS, trainer)
    raw.add_tokens([FIRST_SPEAKER, SECOND_SPEAKER])
    return PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<eos>", eos_token="<eos>", pad_token="<eos>")


def make_model(tokenizer: Any) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        config = GPT2Config(
            vocab_size=len(tokenizer),
            n_positions=CONTEXT,
            n_embd=64,
            n_layer=2,
            n_head=2,
            bos_token_id=tokenizer.eos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
        )
        return GPT2LMHeadModel(config)


def save(directory: Path, model: Any, tokenizer: Any, card: ModelCard | None) -> Path:
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    if card is not None:
        card.write(directory)
    return directory


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return make_tokenizer()


@pytest.fixture(scope="session")
def chat_tokenizer() -> Any:
    tokenizer = make_tokenizer()
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    card = ModelCard(name="tiny-random", format=FormatName.DIALOGUE)
    return save(tmp_path_factory.mktemp("models") / "random", make_model(tokenizer), tokenizer, card)


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Taught:
    return save_taught(tmp_path_factory.mktemp("models") / "taught")


@pytest.fixture(scope="session")
def thoughtful(tmp_path_factory: pytest.TempPathFactory) -> Taught:
    return save_thoughtful(tmp_path_factory.mktemp("models") / "thoughtful")


@pytest.fixture(scope="session")
def taught_model(taught: Taught) -> Path:
    return taught.directory


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For prepared models."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def model_without_card(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    return save(tmp_path_factory.mktemp("models") / "no-card", make_model(tokenizer), tokenizer, None)


@pytest.fixture(scope="session")
def default_model() -> Path:
    """Prepared in the user's cache, about a minute the first time on a machine."""
    cache = Path(os.environ.get("TIMOKHA_CACHE") or platformdirs.user_cache_path("timokha"))
    return prepare_default_model(cache, console=Console(stderr=True))


@pytest.fixture
def told_at_every_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("openai", "openvino", "transformers"):
        monkeypatch.setattr(f"functions.generate.engines.{module}.INTERVAL", 0.0)
