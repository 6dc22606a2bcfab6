"""What GENERATE_MODEL can name: what is no model is one line, before torch is imported or a directory is searched."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from events.errors import SettingsError
from functions.generate.engines.serving_file import FILE_NAME
from functions.generate.models import sources
from functions.generate.models.preparing import prepare_model, prepared_directory
from functions.generate.models.sources import model_path, resolve_source

NOBODY = 65534


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
        ("~nobody-of-this-name/model", "can't be examined"),
        ("a" * 5000, "can't be examined"),
        ("a/" + "b" * 240, "there is no such file or directory"),
        ("a\0b", ""),
        (" ", "there is no such file or directory"),
    ],
)
def test_what_is_no_model_is_one_line(place: Path, source: str, says: str) -> None:
    for judge in (model_path, lambda given: prepare_model(given, place / "cache", bits=8, console=Console(quiet=True))):
        with pytest.raises(SettingsError, match=r"^GENERATE_MODEL=.*give a model directory") as raised:
            judge(source.format(place))
        assert says in str(raised.value)
        assert len(str(raised.value).splitlines()) == 1
        assert len(str(raised.value)) < 500


@pytest.mark.parametrize("source", ["{}/model", "tinkoff-ai/ruDialoGPT-medium"])
def test_what_may_be_a_model_is_let_through(place: Path, source: str) -> None:
    assert str(model_path(source.format(place))) == source.format(place)


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


@pytest.fixture
def as_nobody() -> Iterator[Callable[[], int]]:
    """Go on as another user than the one whose files they are."""
    was = os.geteuid()

    def become() -> int:
        if was == 0:
            os.seteuid(NOBODY)
        return os.geteuid()

    yield become
    os.seteuid(was)


def judges(place: Path) -> tuple[Callable[[str], object], ...]:
    return model_path, lambda given: prepare_model(given, place / "cache", bits=8, console=Console(quiet=True))


@pytest.mark.parametrize("closed", ["", "config.json", "model.safetensors", FILE_NAME])
@pytest.mark.parametrize("in_image", [False, True])
def test_what_may_not_be_read_is_told_from_what_is_not_there(
    tmp_path: Path, as_nobody: Callable[[], int], monkeypatch: pytest.MonkeyPatch, closed: str, in_image: bool
) -> None:
    """As a container meets files that were written under a strict umask."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.name.startswith(("pytest-", "popen-")) or folder == tmp_path:
            folder.chmod(0o755)
    own = tmp_path / "models"
    model = own / "mine"
    model.mkdir(parents=True)
    for name in ("config.json", "model.safetensors", FILE_NAME):
        (model / name).write_text("{}")
    (model / closed).chmod(0)
    monkeypatch.setattr(sources, "CONTAINER_MODELS", own)
    monkeypatch.setattr(sources, "in_image", lambda: in_image)
    user = as_nobody()
    for judge in judges(tmp_path):
        with pytest.raises(SettingsError) as raised:
            judge(resolve_source(str(model)))
        said = str(raised.value)
        assert said.startswith(f"GENERATE_MODEL={str(model)!r}: {model}")
        assert f"{model / closed} may not be read by user {user}" in said
        assert ("`chmod -R a+rX models`" in said) == in_image
        assert len(said.splitlines()) == 1


def test_a_closed_folder_around_models_is_no_missing_model(tmp_path: Path, as_nobody: Callable[[], int]) -> None:
    (tmp_path / "models/mine").mkdir(parents=True)
    (tmp_path / "models").chmod(0)
    as_nobody()
    for judge in judges(tmp_path):
        with pytest.raises(SettingsError, match=r"mine may not be read by user"):
            judge(str(tmp_path / "models/mine"))


@pytest.mark.parametrize("given", ["models/mine", "./models/mine", "/home/me/timokha/models/mine"])
def test_in_a_container_the_place_outside_is_told_from_the_one_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inside/models/mine").mkdir(parents=True)
    monkeypatch.setattr(sources, "CONTAINER_MODELS", tmp_path / "inside/models")
    monkeypatch.setattr(sources, "in_image", lambda: True)
    for judge in judges(tmp_path):
        with pytest.raises(SettingsError, match=f"write GENERATE_MODEL={tmp_path}/inside/models/mine"):
            judge(resolve_source(given))
        with pytest.raises(SettingsError, match=r"no such file or directory in the container, which has \./models as"):
            judge(str(tmp_path / "inside/models/other"))
    assert model_path("somebody/mine") == Path("somebody/mine"), "a hub id"
