"""deploy/backup.sh and deploy/restore.sh, with a directory for the volume."""

import re
import tarfile

import pytest
import yaml

from tests.volumes import ROOT, Volume

STREAM = "jetstream/STORE/streams/REQUESTS/meta.inf"
ASKED = "compose ps --status running --status restarting --quiet nats"
STARTED = "compose up -d --no-recreate --scale nats=1 --scale userbot=1 nats userbot"
INDEX = "jetstream/STORE/streams/KV_marks/meta.inf"


@pytest.fixture
def volume(tmp_path) -> Volume:
    store = tmp_path / "store"
    for name in (STREAM, INDEX):
        (store / name).parent.mkdir(parents=True)
        (store / name).write_text("as it was")
    return Volume(tmp_path / "stand-ins", tmp_path / "store", running=("nats", "userbot", "jaeger"))


def files(volume):
    return {str(path.relative_to(volume.store)) for path in volume.store.rglob("*") if path.is_file()}


def test_nats_is_away_while_it_is_copied_and_the_copy_is_its_owners(volume, tmp_path):
    volume.backup(tmp_path / "backup")
    assert volume.asked == [ASKED, "compose stop nats", "compose start nats"]
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600
    with tarfile.open(tmp_path / "backup") as archive:
        assert {STREAM, INDEX} <= set(archive.getnames())


def test_nats_that_did_not_run_is_not_started(volume, tmp_path):
    volume.running = ()
    volume.backup(tmp_path / "backup")
    assert volume.asked == [ASKED]


def test_a_backup_that_fails_leaves_nats_running_and_no_file(volume, tmp_path):
    (volume.store / STREAM).parents[3].rename(volume.store / "gone")
    ended = volume.run("backup.sh", tmp_path / "backup", check=False)
    assert ended.returncode == 1
    assert ended.stderr == "backup.sh: NATS has stored nothing yet\n"
    assert volume.asked[-1] == "compose start nats"
    assert not list(tmp_path.glob("backup*"))


@pytest.mark.parametrize("name", ["backup", "backup.partial"])
def test_a_backup_overwrites_nothing(volume, tmp_path, name):
    (tmp_path / name).write_text("another")
    assert volume.run("backup.sh", tmp_path / "backup", check=False).returncode == 2
    assert (tmp_path / name).read_text() == "another"
    assert volume.asked == []


def test_what_is_put_back_takes_the_place_of_what_there_is_but_for_the_index(volume, tmp_path):
    volume.backup(tmp_path / "backup")
    (volume.store / STREAM).write_text("later")
    (volume.store / STREAM).with_name("later").touch()
    volume.restore(tmp_path / "backup")
    assert files(volume) == {STREAM}
    assert (volume.store / STREAM).read_text() == "as it was"
    assert volume.asked[0] == "compose ps --status running --status restarting --services"
    assert volume.asked[-2:] == ["compose stop nats userbot", STARTED]


def test_workers_are_as_many_as_before(volume, tmp_path):
    volume.backup(tmp_path / "backup")
    volume.running = ("generate", "generate", "generate", "nats")
    volume.restore(tmp_path / "backup")
    assert volume.asked[-1] == "compose up -d --no-recreate --scale generate=3 --scale nats=1 generate nats"


def test_what_a_restore_that_was_cut_off_had_set_aside_is_gone(volume, tmp_path):
    volume.backup(tmp_path / "backup")
    (volume.store / "jetstream").rename(volume.store / "replaced")
    volume.restore(tmp_path / "backup")
    assert files(volume) == {STREAM}


def test_what_did_not_run_is_not_started(volume, tmp_path):
    volume.backup(tmp_path / "backup")
    volume.running = ()
    assert "nothing was started" in volume.restore(tmp_path / "backup").stdout
    assert not [line for line in volume.asked if " up " in line or " stop" in line]


def test_a_restore_that_fails_on_its_way_names_what_it_has_stopped(volume, tmp_path, monkeypatch):
    volume.backup(tmp_path / "backup")
    monkeypatch.setenv("UP_FAILS", "3")
    ended = volume.run("restore.sh", tmp_path / "backup", check=False)
    said = "restore.sh: it failed, and has stopped nats userbot: see above, run it again, then make up\n"
    assert (ended.returncode, ended.stderr) == (3, said)
    assert "restore.sh: done" not in ended.stdout


@pytest.mark.parametrize("script", ["backup.sh", "restore.sh"])
def test_a_store_is_not_touched_where_it_is_not_known_whether_nats_runs(volume, tmp_path, monkeypatch, script):
    if script == "restore.sh":
        volume.backup(tmp_path / "backup")
    volume.running = ()
    monkeypatch.setenv("PS_FAILS", "1")
    assert volume.run(script, tmp_path / "backup", check=False).returncode == 1
    assert {STREAM, INDEX} <= files(volume)
    assert script == "restore.sh" or not list(tmp_path.glob("backup*"))


@pytest.mark.parametrize("damage", ["cut short", "no archive", "of something else"])
def test_a_file_that_is_no_backup_harms_nothing(volume, tmp_path, damage):
    backup = tmp_path / "backup"
    volume.backup(backup)
    match damage:
        case "cut short":
            backup.write_bytes(backup.read_bytes()[:-30])
        case "no archive":
            backup.write_text("no archive")
        case _:
            with tarfile.open(backup, "w:gz") as archive:
                archive.add(__file__, "jetstream.py")
    ended = volume.run("restore.sh", backup, check=False)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "restore.sh: this is not a complete backup; nothing was changed"
    assert files(volume) == {STREAM, INDEX}
    assert volume.asked == []


@pytest.mark.parametrize("script", ["backup.sh", "restore.sh"])
def test_the_store_of_a_cluster_is_refused(volume, tmp_path, script):
    backup = tmp_path / "backup"
    if script == "restore.sh":
        volume.backup(backup)
    meta = volume.store / "jetstream/$SYS/_js_/_meta_"
    meta.mkdir(parents=True)
    ended = volume.run(script, backup, check=False)
    assert ended.returncode == 1
    assert "NATS is a cluster" in ended.stderr
    assert (volume.store / STREAM).read_text() == "as it was"


def test_whatever_is_connected_to_nats_is_stopped_for_a_restore():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    connected = {
        name
        for name, service in services.items()
        if "NATS_URL" in service.get("environment", {}) and "healthcheck" in service
    }
    listed = re.search('^services="(.+)"$', (ROOT / "deploy/restore.sh").read_text(), re.MULTILINE)
    assert listed
    assert set(listed[1].split()) == {"nats", *connected}


@pytest.mark.parametrize("arguments", [(), ("one", "two")])
@pytest.mark.parametrize("script", ["backup.sh", "restore.sh"])
def test_wrong_use_is_one_line(volume, script, arguments):
    ended = volume.run(script, *arguments, check=False)
    assert (ended.returncode, ended.stderr) == (2, f"usage: sh deploy/{script} FILE\n")
