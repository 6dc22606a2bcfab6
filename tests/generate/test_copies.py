"""Copies of a model: whatever decides what is in one decides its name; earlier ones go, unless somebody uses them."""

import logging
import mmap
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from rich.console import Console

from functions.generate.engines.serving_file import FILE_NAME
from functions.generate.models import prepared_copies, preparing
from functions.generate.models.prepared_copies import MADE_BY, PreparedCopy


@pytest.fixture
def models(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "voice"
    directory.mkdir()
    (directory / "config.json").write_text("{}")
    return directory


def make(directory: Path) -> Path:
    directory.mkdir()
    (directory / FILE_NAME).write_text("{}")
    (directory / "openvino_model.bin").write_bytes(b"weights")
    return directory


def copy(source: Path | str | None, bits: int = 8, writes: str = "talk1") -> PreparedCopy:
    return PreparedCopy(None if source is None else str(source), bits, writes)


def with_versions(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    def version(name: str) -> str:
        if name not in versions:
            raise PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(prepared_copies, "version", version)


VERSIONS = {"torch": "2.1", "transformers": "5.1", "openvino": "2026.1"}


def test_what_decides_what_is_in_a_copy_decides_its_name(
    source: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [copy(source, *how).directory(models) for how in ((8, "talk1"), (4, "talk1"), (8, "talk2"), (8, "all"))]
    (source / "config.json").write_text("{ }")
    names.append(copy(source).directory(models))
    for package in VERSIONS:
        with_versions(monkeypatch, **{**VERSIONS, package: "3"})
        names.append(copy(source).directory(models))
    assert len({*names}) == len(names)


def test_the_same_file_in_two_folders_of_a_model_is_not_the_same_model(source: Path, models: Path) -> None:
    for folder in ("a", "b"):
        (source / folder).mkdir()
    (source / "a/x").touch()
    os.utime(source / "a/x", (0, 0))
    before = copy(source).directory(models)
    (source / "a/x").rename(source / "b/x")
    assert copy(source).directory(models) != before


def test_the_revision_of_a_model_of_the_hub_is_in_its_name(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    names = [copy("org/model").directory(models)]
    reference = tmp_path / "hub/models--org--model/refs/main"
    reference.parent.mkdir(parents=True)
    for commit in ("1" * 40, "2" * 40):
        reference.write_text(commit)
        names.append(copy("org/model").directory(models))
        assert prepared_copies.cached_revision("org/model") == commit
    assert len({*names}) == 3


def test_what_has_no_torch_behind_it_does_not_depend_on_torch(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gguf = tmp_path / "m.gguf"
    gguf.write_bytes(b"GGUF")
    for source in (None, gguf):
        with_versions(monkeypatch)
        without = copy(source).directory(models)
        with_versions(monkeypatch, **VERSIONS)
        assert copy(source).directory(models) == without


def test_where_torch_is_missing_a_copy_that_was_made_with_any_version_is_used(
    source: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_versions(monkeypatch, **VERSIONS)
    made = make(copy(source).directory(models))
    with_versions(monkeypatch)
    assert copy(source).directory(models) == made
    assert copy(source, bits=4).directory(models) != made


def test_while_no_revision_of_a_hubs_model_is_here_the_newest_copy_is_used(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with_versions(monkeypatch, **VERSIONS)
    reference = tmp_path / "hub/models--org--model/refs/main"
    reference.parent.mkdir(parents=True)
    made = []
    for number, commit in enumerate("21"):
        reference.write_text(commit * 40)
        made.append(make(copy("org/model").directory(models)))
        os.utime(made[-1] / FILE_NAME, (number, number))
    reference.write_text("3" * 40)
    assert copy("org/model").directory(models) not in made
    reference.unlink()  # its download was deleted, or this is another container with the same cache
    assert copy("org/model").directory(models) == made[-1]
    assert copy("org/model", bits=4).directory(models) not in made
    with_versions(monkeypatch)
    assert copy("org/model").directory(models) == made[-1]


def test_the_hub_is_asked_only_for_what_can_be_made_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    asked: list[str] = []
    monkeypatch.setattr(preparing, "_fetch_revision", asked.append)
    monkeypatch.setattr(preparing, "_prepare_once", lambda copy, directory, *_: make(directory))
    (tmp_path / "models").mkdir()

    def wanted(name: str) -> Path:
        return preparing.prepare_model(name, tmp_path, bits=8, console=Console(quiet=True))

    with_versions(monkeypatch)
    wanted("org/without-torch")
    assert asked == []
    with_versions(monkeypatch, **VERSIONS)
    assert wanted("org/with-torch") == wanted("org/with-torch")
    assert asked == ["org/with-torch"]


def test_a_prepared_directory_that_is_named_itself_is_held(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, held = make(copy(None).directory(models)), list[Path]()
    monkeypatch.setattr(prepared_copies, "hold", held.append)
    assert preparing.prepare_model(str(made), tmp_path, bits=8, console=Console(quiet=True)) == made
    assert held == [made]


def test_a_long_name_has_room_in_that_of_a_directory(tmp_path: Path, models: Path) -> None:
    source = tmp_path / ("m" * 250)
    source.mkdir()
    make(copy(source).directory(models))


def test_what_earlier_versions_made_of_it_is_removed_and_nothing_else(source: Path, models: Path) -> None:
    new = copy(source)
    name = new.directory(models).name
    rule = name.replace("talk1", "talk0")
    format_ = name.replace(f"talk1-{MADE_BY}", f"talk1-{MADE_BY - 1}")
    content = prepared_copies._digest("other", 12)
    changed = "-".join((*name.split("-")[:2], content, *name.split("-")[3:]))
    first = f"{new._lockless_name}-openvino-int8-3"
    old = {make(models / each) for each in (rule, format_, changed, first)}
    others = ("int8", "int4"), ("talk1", "all"), ("voice", "voices"), ("voice", "my-voice")
    kept = [make(models / name.replace(*other)) for other in others]
    kept += [make(models / f"{new._lockless_name}-openvino-int4-3"), make(new.directory(models))]
    (models / rule.replace("talk0", "talk2")).mkdir()  # nobody has finished it
    assert {*prepared_copies.remove_unused(new.superseded(models))} == old
    assert all(directory.is_dir() for directory in kept)
    assert not any(directory.exists() for directory in old)


def test_those_of_the_default_model_too(models: Path) -> None:
    old = make(models / "gemma-3-270m-openvino-int8-3")
    kept = [make(models / name) for name in ("gemma-3-270m-float16", "gemma-3-270m-it-openvino-int8-3")]
    assert prepared_copies.remove_unused(copy(None).superseded(models)) == [old]
    assert all(directory.is_dir() for directory in kept)


HOLDS = """
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from functions.generate.models import prepared_copies
print(prepared_copies.hold(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def test_one_that_a_process_holds_stays_until_it_ends(source: Path, models: Path) -> None:
    new = copy(source)
    old = make(models / new.directory(models).name.replace("talk1", "talk0"))
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(old)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holding:
        assert holding.stdout
        assert holding.stdout.readline() == b"True\n"
        assert prepared_copies.remove_unused(new.superseded(models)) == []
        assert (old / FILE_NAME).is_file()
        holding.kill()
        holding.wait()
    assert prepared_copies.remove_unused(new.superseded(models)) == [old]


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="nobody can tell here: such a copy stays")
def test_one_of_a_version_without_locks_stays_while_it_is_mapped(models: Path) -> None:
    old = make(models / "gemma-3-270m-openvino-int8-3")
    with (old / "openvino_model.bin").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ):
        assert prepared_copies.remove_unused(copy(None).superseded(models)) == []
    assert prepared_copies.remove_unused(copy(None).superseded(models)) == [old]


def test_one_that_is_gone_is_not_held(models: Path) -> None:
    assert not prepared_copies.hold(models / "gone")


def test_a_hub_that_can_not_be_reached_is_told_by_who_loads_the_model_alone(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def unreachable(*_: object) -> None:
        logging.getLogger("huggingface_hub.utils._http").warning("thrown while requesting")
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", unreachable)
    monkeypatch.setattr(logging.getLogger("huggingface_hub"), "level", logging.WARNING)
    preparing._fetch_revision("Qwen/Qwen3-0.6B")
    assert (capfd.readouterr(), caplog.text) == (("", ""), "")
