"""Synthetic exports that carry every trap, and a small part of rusdracor (CC0)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from functions.generate.models.card import ModelCard
from functions.generate.prompts.formats import FIRST_SPEAKER, SECOND_SPEAKER, FormatName
from training.data.command import prepare
from training.settings import PrepareSettings

FIXTURES = Path(__file__).parent / "fixtures"

# Threads that share work this small wait for one another, for minutes where the machine is busy.
torch.set_num_threads(1)
START = 1_700_000_000


class ExportBuilder:
    """Messages of one chat, a minute apart unless told otherwise; `me` is the owner."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.time = START

    def say(self, who: str, text: Any, *, after: int = 60, **fields: Any) -> int:
        """Add a message, `after` seconds from the last one; returns its id."""
        self.time += after
        number = len(self.items) + 1
        item = {
            "id": number,
            "type": "message",
            "date": "2023-11-14T22:13:20",
            "date_unixtime": str(self.time),
            "from": who.title(),
            "from_id": f"user_{who}",
            "text": text,
        }
        self.items.append({key: value for key, value in {**item, **fields}.items() if value is not ...})
        return number

    def chat(self, **fields: Any) -> dict[str, Any]:
        return {"name": "Chat", "type": "personal_chat", "id": 1, **fields, "messages": self.items}

    def text(self, **fields: Any) -> str:
        """The chat as a file has it."""
        return json.dumps(self.chat(**fields), ensure_ascii=False)


@pytest.fixture
def export() -> ExportBuilder:
    return ExportBuilder()


@pytest.fixture
def run_prepare(tmp_path: Path) -> Callable[..., tuple[dict[str, Any], dict[str, list[Any]]]]:
    """`run_prepare(content, owner=…)`: prepares it; gives the manifest and part → dialogues."""

    def run(content: Any, **settings: Any) -> tuple[dict[str, Any], dict[str, list[Any]]]:
        file, out = tmp_path / "result.json", tmp_path / "data"
        if isinstance(content, Path):
            file = content
        else:
            file.write_text(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False))
        chosen = {"owner": "user_me", "validation_share": 0, "test_share": 0, **settings}
        prepare(PrepareSettings(export=file, out=out, **chosen), console=Console(quiet=True))
        parts = {
            part: [json.loads(line) for line in (out / f"{part}.jsonl").read_text().splitlines()]
            for part in ("train", "validation", "test")
        }
        return json.loads((out / "manifest.json").read_text()), parts

    return run


@pytest.fixture
def rusdracor() -> Path:
    return FIXTURES / "rusdracor.json"


CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """Byte-level, of 600 tokens, learned on the fixture."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<eos>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    chats = json.loads((FIXTURES / "rusdracor.json").read_text())["chats"]["list"]
    raw.train_from_iterator([item["text"] for chat in chats for item in chat["messages"]], trainer)
    raw.add_tokens([FIRST_SPEAKER, SECOND_SPEAKER])
    return PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<eos>", eos_token="<eos>", pad_token="<eos>")


def gpt2(vocabulary: int) -> Any:
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=vocabulary, n_positions=2048, n_embd=64, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
        )
    )


def gemma3(vocabulary: int) -> Any:
    return Gemma3ForCausalLM(
        Gemma3TextConfig(
            vocab_size=vocabulary,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
            sliding_window=8,
            layer_types=["sliding_attention", "full_attention"],
            bos_token_id=0,
            eos_token_id=0,
            pad_token_id=0,
        )
    )


@pytest.fixture(params=[gpt2, gemma3], ids=["gpt2", "gemma3"])
def tiny_model(request: pytest.FixtureRequest, tokenizer: Any) -> Any:
    """Random weights, in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return request.param(len(tokenizer)).eval()


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    """A directory with a tiny model of random weights that is prompted as a dialogue."""
    directory = tmp_path_factory.mktemp("base")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        gpt2(len(tokenizer)).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    (directory / "NOTICE.txt").write_text("under terms")
    ModelCard(name="tiny", format=FormatName.DIALOGUE, preamble=True, licence="CC0-1.0").write(directory)
    return directory


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixture, prepared: Smirnov speaks to Popova."""
    out = tmp_path_factory.mktemp("data")
    settings = PrepareSettings(export=FIXTURES / "rusdracor.json", owner="Смирнов", out=out)
    prepare(settings, console=Console(quiet=True))
    return out
