"""What GENERATE_MODEL can name: what is no model is one line, before torch is imported or a directory is searched."""

from pathlib import Path

import pytest
from rich.console import Console

from events.errors import SettingsError
from functions.generate.prepared import prepared_directory, prepared_model
from functions.generate.sources import path_of


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("empty", "folder.gguf", "model", "adapter", "quants"):
        (tmp_path / name).mkdir()
    (tmp_path / "adapter/adapter_config.json").write_text("{}")
    (tmp_path / "quants/tiny.Q4_K_M.gguf").touch()
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "model/config.json").write_text("{}")
    for name in ("a.txt", "model.gguf"):
        (tmp_path / name).write_text("x")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    return tmp_path


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{}/nothing", "there is no such file or directory"),
        ("{}/nothing.gguf", "there is no such file or directory"),
        ("{}/dangling", "there is no such file or directory"),
        ("{}/loop", ""),
        ("{}/empty", "is an empty directory"),
        ("{}/folder.gguf", "is an empty directory"),
        ("/", "is a directory without config.json"),
        ("{}/a.txt", "is a file of another kind"),
        ("{}/model.gguf", "is no GGUF file"),
        ("{}/adapter", "is an adapter (LoRA), not a model"),
        ("{}/quants", "but with tiny.Q4_K_M.gguf: give that file"),
        ("{}/model.safetensors", "is a part of a model: give the directory"),
        ("/dev/null", "is neither a file nor a directory"),
        ("{}/a.txt/model", ""),
        ("~nobody-of-this-name/model", "can't be looked at"),
        ("a" * 5000, "can't be looked at"),
        ("a/" + "b" * 240, "there is no such file or directory"),
        ("a\0b", ""),
        (" ", "there is no such file or directory"),
    ],
)
def test_what_is_no_model_is_one_line(place: Path, source: str, says: str) -> None:
    for judge in (path_of, lambda given: prepared_model(given, place / "cache", bits=8, console=Console(quiet=True))):
        with pytest.raises(SettingsError, match=r"^GENERATE_MODEL=.*give a model directory") as raised:
            judge(source.format(place))
        assert says in str(raised.value)
        assert len(str(raised.value).splitlines()) == 1
        assert len(str(raised.value)) < 500


@pytest.mark.parametrize("source", ["{}/model", "tinkoff-ai/ruDialoGPT-medium"])
def test_what_may_be_a_model_is_let_through(place: Path, source: str) -> None:
    assert str(path_of(source.format(place))) == source.format(place)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("Qwen/Qwen3-0.6B", "Qwen3-0.6B"),
        ("models/v1.5/", "v1.5"),
        ("a/tiny.Q4_K_M.gguf", "tiny.Q4_K_M"),
        ("a/b.c", "b.c"),
    ],
)
def test_a_model_keeps_the_dots_in_its_name(source: str, name: str) -> None:
    assert prepared_directory(source, Path("cache"), bits=8).name.startswith(f"{name}-")
