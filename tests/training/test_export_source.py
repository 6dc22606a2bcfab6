"""Whatever is given for an export, prepare reads it or says in one line what to give instead, and leaves nothing."""

import gzip
import io
import json
import os
import zipfile

import pytest
from rich.console import Console

from events.errors import SettingsError, TimokhaError
from training.data.command import prepare
from training.settings import PrepareSettings


def prepared(export, out):
    settings = PrepareSettings(export=export, out=out, owner="user_me")
    return prepare(settings, console=Console(quiet=True))


def talk(export):
    export.say("ann", "привет")
    export.say("me", "здравствуй")
    return json.dumps(export.chat(), ensure_ascii=False)


def zipped(text):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("result.json", text)
    return packed.getvalue()


@pytest.mark.parametrize("where", ["result.json", "ChatExport_2026-11-26/result.json"])
def test_of_a_directory_the_export_in_it_is_read(export, tmp_path, where):
    (tmp_path / "given" / where).parent.mkdir(parents=True)
    (tmp_path / "given" / where).write_text("\ufeff" + talk(export))
    assert prepared(tmp_path / "given", tmp_path / "data").items == 2


def test_of_a_directory_with_several_exports_one_has_to_be_named(export, tmp_path):
    for number in range(7):
        place = tmp_path / "given" / f"ChatExport_{number}"
        place.mkdir(parents=True)
        (place / "result.json").write_text(talk(export))
    with pytest.raises(
        SettingsError, match=r"given has 7 exports \(ChatExport_0/result.json, .*, …\): name the one to"
    ):
        prepared(tmp_path / "given", tmp_path / "data")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ([], "there is no result.json in it"),
        (["photo.jpg"], "there is no result.json in it"),
        (["messages.html", "messages2.html"], "it is an export as HTML"),
        (["export_results.html"], "it is an export as HTML"),
    ],
)
def test_of_a_directory_without_an_export_what_to_do_is_said(tmp_path, files, why):
    given = tmp_path / "given"
    given.mkdir()
    for name in files:
        (given / name).touch()
    with pytest.raises(SettingsError, match=f"given is not a Telegram export .{why}.* Machine-readable JSON"):
        prepared(given, tmp_path / "data")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is empty"),
        (b"<!DOCTYPE html>\n<html>", "an export as HTML"),
        (b"\xef\xbb\xbf\n<html>", "an export as HTML"),
        ('date,from,text\n2023,Аня,"привет"\n'.encode(), "it is not JSON"),
        (zipped("{}"), "it is a zip archive: unpack it"),
        (gzip.compress(b"{}", mtime=0), "packed with gzip: unpack it"),
        ('{"name": "x", "messages": []}'.encode("utf-16"), "its text is UTF-16: save it as UTF-8"),
        ('{"name": "x", "messages": []}'.encode("utf-16-le"), "its text is UTF-16"),
        (f'{{"name": "{"Привет " * 9}", "messages": []}}'.encode("cp1251"), "its text is not UTF-8: save it"),
        (b'{"messages": [{"role": "user", "content": "hi"}]}', "none of its 1 messages is one of Telegram's"),
        (b'{"version": 1, "log": {"entries": []}}', "it has no messages"),
        (b'[{"id": 1}]', "it has no messages"),
        (b'{"name": "x", "type"', "it ends in the middle, at byte 20"),
        (bytes(5000), "it is not JSON"),
    ],
)
def test_what_is_no_export_is_told_by_its_content_and_leaves_nothing(tmp_path, content, why):
    file = tmp_path / "given.json"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=f"TRAINING_EXPORT: given.json is not a Telegram export.*({why})") as caught:
        prepared(file, tmp_path / "new" / "data")
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["given.json"]


def test_a_pipe_is_no_export_and_nothing_waits_for_it(tmp_path):
    os.mkfifo(tmp_path / "result.json")
    with pytest.raises(SettingsError, match="it is not a regular file"):
        prepared(tmp_path / "result.json", tmp_path / "data")


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_a_prepare_that_is_stopped_leaves_nothing_and_data_from_before_stay(export, tmp_path, calls):
    file, out = tmp_path / "result.json", tmp_path / "new" / "data"
    file.write_text(talk(export))
    left = iter([False] * (calls - 1))
    chosen = PrepareSettings(export=file, out=out, owner="user_me")
    with pytest.raises(TimokhaError, match="stopped before the end"):
        prepare(chosen, console=Console(quiet=True), stopped=lambda: next(left, True))
    assert os.listdir(tmp_path) == ["result.json"]
    prepared(file, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(TimokhaError, match="stopped before the end"):
        prepare(chosen, console=Console(quiet=True), stopped=lambda: True)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
