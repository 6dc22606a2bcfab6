"""Tiny models made on the spot, and the real default model, prepared once in the user's cache."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import platformdirs
import pytest
import torch
from rich.console import Console

from functions.generate.models.card import ModelCard
from functions.generate.models.preparing import prepare_default_checkpoint
from functions.generate.prompts.formats import FormatName
from tests.generate import tiny_gpt2
from tests.generate.lessons import Taught, save_taught, save_thoughtful
from tests.generate.tiny_gpt2 import CHAT_TEMPLATE, save

CORPUS = ["Гость: как дела?\nТимоха: Хорошо, а у тебя?\n", "Guest: how are you?\nTimokha: Fine.\n"]
CONTEXT = 256

# Threads wait for one another longer than a tiny model computes, above all where other tests run beside them: here,
# and in the processes that prepare a model.
torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")


def make_tokenizer() -> Any:
    return tiny_gpt2.make_tokenizer(CORPUS, size=400, special=[*tiny_gpt2.SPECIAL, "<start_of_turn>"])


def make_model(tokenizer: Any) -> Any:
    return tiny_gpt2.make_model(tokenizer, context=CONTEXT)


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """A conversion that fails can leave the root logger at errors alone, for whatever test comes next."""
    root = logging.getLogger()
    before = root.level
    yield
    root.setLevel(before)


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
    return prepare_default_checkpoint(cache, console=Console(stderr=True))


@pytest.fixture
def told_at_every_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("openai", "openvino", "transformers"):
        monkeypatch.setattr(f"functions.generate.engines.{module}.engine.PARTIAL_TEXT_INTERVAL", 0.0)
