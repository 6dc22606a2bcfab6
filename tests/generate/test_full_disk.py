"""What a model that is prepared leaves: nothing on a disk that takes no more, else files that others may read."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from events.runtime.clock import SystemClock
from functions.generate.engines.model_files import write_errors_named
from functions.generate.engines.openvino.export.transformers_export import export
from functions.generate.engines.transformers import checkpoints
from functions.generate.models.preparing import make_once
from tests.full_disk import files_up_to

LIMITS = (0, 20_000)
"""Bytes of a file: the first of all is refused, or the weights are."""
REFUSED = r"File too large|iostream error"


@pytest.mark.parametrize("limit", LIMITS)
def test_exporting_for_openvino(random_model: Path, tmp_path: Path, limit: int) -> None:
    with pytest.raises(OSError, match=REFUSED), files_up_to(limit):
        make_once(
            tmp_path / "model",
            is_ready=lambda: False,
            make=lambda empty: export(str(random_model), empty, bits=8, clock=SystemClock()),
        )
    assert [path.name for path in tmp_path.iterdir()] == ["model.lock"]


@pytest.mark.parametrize("limit", LIMITS)
def test_converting_the_default_model(
    random_model: Path, tmp_path: Path, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = checkpoints.load_checkpoint(str(random_model))
    monkeypatch.setattr(checkpoints.loading, "load", lambda gguf, adapter: (checkpoint.model, checkpoint.tokenizer))
    with pytest.raises(OSError, match=REFUSED), files_up_to(limit):
        make_once(
            tmp_path / "model", is_ready=lambda: False, make=lambda empty: checkpoints.convert(tmp_path / "x", empty)
        )
    assert [path.name for path in tmp_path.iterdir()] == ["model.lock"]


def test_a_library_without_an_oserror_of_its_own_is_understood(tokenizer: Any, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left on device") as found, write_errors_named(tmp_path):
        tokenizer.backend_tokenizer.save("/dev/full")
    assert (found.value.errno, found.value.filename) == (errno.ENOSPC, str(tmp_path))


def test_a_bug_while_writing_is_no_full_disk(tmp_path: Path) -> None:
    with pytest.raises(TypeError), write_errors_named(tmp_path):
        raise TypeError


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640)])
def test_others_may_read_what_was_written_as_the_umask_has_it(
    random_model: Path, tmp_path: Path, umask: int, mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = checkpoints.load_checkpoint(str(random_model))
    monkeypatch.setattr(checkpoints.loading, "load", lambda gguf, adapter: (checkpoint.model, checkpoint.tokenizer))
    before = os.umask(umask)
    try:
        checkpoints.convert(tmp_path / "x", tmp_path)
    finally:
        os.umask(before)
    assert {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == dict.fromkeys(
        ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"), mode
    )
