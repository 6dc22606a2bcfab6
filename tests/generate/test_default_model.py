"""The default model is made once, whole or not at all, and answers in Russian."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from events.errors import TimokhaError
from events.runtime.clock import SystemClock
from events.schema import Role, Sampling, Turn
from functions.generate.engines.transformers.engine import TransformersEngine
from functions.generate.models import default_model as default_model_module
from functions.generate.models import preparing
from functions.generate.models.card import ModelCard
from functions.generate.models.preparing import default_checkpoint_directory, prepare_default_checkpoint


def console() -> Console:
    return Console(file=StringIO(), width=200)


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Preparing without its slow parts; what was converted."""
    made: list[Path] = []
    lock = threading.Lock()

    def assemble(folder: Path) -> Path:
        gguf = folder / "model.gguf"
        gguf.write_bytes(b"weights")
        return gguf

    def convert(gguf: Path, folder: Path, voice: object) -> None:
        with lock:
            made.append(folder)
        (folder / "model.safetensors").write_bytes(gguf.read_bytes())

    monkeypatch.setattr(default_model_module, "_assemble", assemble)
    monkeypatch.setattr(preparing, "_convert", convert)
    return made


def test_the_licence_is_shown_and_written_beside_the_model(tmp_path: Path, conversions: list[Path]) -> None:
    shown = StringIO()
    directory = prepare_default_checkpoint(tmp_path, console=Console(file=shown, width=200))
    assert "Gemma Terms of Use: https://ai.google.dev/gemma/terms" in shown.getvalue()
    assert "https://ai.google.dev/gemma/terms" in (directory / "NOTICE.txt").read_text()
    card = ModelCard.read(directory)
    assert card is not None
    assert card.licence_url == "https://ai.google.dev/gemma/terms"


def test_a_prepared_model_is_used_silently(tmp_path: Path, conversions: list[Path]) -> None:
    first = prepare_default_checkpoint(tmp_path, console=console())
    shown = StringIO()
    assert (
        prepare_default_checkpoint(tmp_path, console=Console(file=shown))
        == first
        == default_checkpoint_directory(tmp_path)
    )
    assert len(conversions) == 1
    assert shown.getvalue() == ""


def test_two_at_once_prepare_it_once(tmp_path: Path, conversions: list[Path]) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: prepare_default_checkpoint(tmp_path, console=console()), range(4)))
    assert len(conversions) == 1
    assert {path.joinpath("model.safetensors").read_bytes() for path in made} == {b"weights"}


def test_a_failed_preparation_leaves_nothing_behind_that_looks_ready(
    tmp_path: Path, conversions: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(gguf: Path, folder: Path, voice: object) -> None:
        (folder / "model.safetensors").write_bytes(b"half")
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(preparing, "_convert", full)
        with pytest.raises(TimokhaError, match=r"No space left on device.*TIMOKHA_CACHE"):
            prepare_default_checkpoint(tmp_path, console=console())
    assert not default_checkpoint_directory(tmp_path).exists()
    directory = prepare_default_checkpoint(tmp_path, console=console())
    assert (directory / "model.safetensors").read_bytes() == b"weights"


def test_without_torch_it_is_torch_that_is_missing(
    tmp_path: Path, conversions: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(gguf: Path, folder: Path, voice: object) -> None:
        raise ModuleNotFoundError("No module named 'torch'")

    monkeypatch.setattr(preparing, "_convert", missing)
    with pytest.raises(TimokhaError, match=r"takes torch and transformers \(No module named 'torch'\): .*transformers"):
        prepare_default_checkpoint(tmp_path, console=console())


@pytest.mark.timeout(600)
async def test_the_default_model_answers_in_russian(default_model: Path) -> None:
    engine = TransformersEngine.load(str(default_model), clock=SystemClock())
    try:
        for question in ("привет", "Какая столица Франции?"):
            answer = await engine.generate([Turn(role=Role.USER, text=question)], Sampling(seed=7))
            assert re.search(r"[а-яё]{2}", answer.text.lower()), answer
            assert "\n" not in answer.text
    finally:
        await engine.close()
