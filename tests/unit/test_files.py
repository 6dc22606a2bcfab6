"""A file is written whole, or what was there stays; where a file can't be replaced, it is written to."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from events.files import fill_whole, write_whole
from tests.full_disk import files_up_to

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("before", [None, "an older one"])
@pytest.mark.parametrize("room", [0, 1000])
def test_on_a_full_disk_what_was_there_stays_and_nothing_else(tmp_path, before, room):
    path = tmp_path / "recording"
    if before:
        path.write_text(before)
    with files_up_to(room), pytest.raises(OSError, match="File too large"):
        write_whole(path, "x" * 100_000)
    assert [file.read_text() for file in tmp_path.iterdir()] == ([before] if before else [])


def test_a_new_file_has_the_mode_that_it_was_given_less_the_umask(tmp_path):
    write_whole(tmp_path / "private", "", mode=0o600)
    umask = os.umask(0o027)
    try:
        write_whole(tmp_path / "other", "")
    finally:
        os.umask(umask)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("private", "other")] == [0o600, 0o640]


def test_a_link_stays_one_and_its_target_is_written(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    for text in ("new", "newer"):
        write_whole(tmp_path / "link", text)
        assert (tmp_path / "target").read_text() == text
    assert (tmp_path / "link").is_symlink()


def test_a_pipe_and_a_device_are_written_to(tmp_path):
    write_whole(Path(os.devnull), "раз")
    os.mkfifo(tmp_path / "pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    write_whole(tmp_path / "pipe", "раз")
    reader.join()
    assert read == ["раз"]


def test_a_name_may_be_as_long_as_names_can_be(tmp_path):
    path = tmp_path / ("й" * 127)
    write_whole(path, "раз")
    assert path.read_text() == "раз"


@pytest.mark.parametrize("name", ["missing/file", "directory"])
def test_where_no_file_can_be_it_says_so_and_leaves_nothing(tmp_path, name):
    (tmp_path / "directory").mkdir()
    with pytest.raises(OSError, match=name):
        write_whole(tmp_path / name, "раз")
    assert [path.name for path in tmp_path.iterdir()] == ["directory"]


def test_a_directory_is_filled_whole_or_stays_as_it_was(tmp_path):
    def half(directory):
        (directory / "new").write_text("half")
        raise ValueError("half")

    model = tmp_path / "model"
    fill_whole(model, lambda directory: (directory / "old").write_text("whole"))
    with pytest.raises(ValueError, match="half"):
        fill_whole(model, half)
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "old"]
    fill_whole(model, lambda directory: (directory / "new").write_text("whole"))
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "new"]


def test_a_directory_takes_the_place_of_a_file_and_of_a_link_whose_target_stays(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    for name in ("file", "link"):
        fill_whole(tmp_path / name, lambda directory: (directory / "new").write_text("whole"))
        assert (tmp_path / name / "new").read_text() == "whole"
    assert list((tmp_path / "target").iterdir()) == []


def test_standard_output_is_written_to(tmp_path):
    writes = "from pathlib import Path; from events.files import write_whole; write_whole(Path('/dev/stdout'), 'раз')"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", writes], env=environment, stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode() == "раз"
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([sys.executable, "-c", writes], env=environment, stdout=out, check=True)
        out.write(b".")
        assert (tmp_path / "out").stat().st_ino == os.fstat(out.fileno()).st_ino
