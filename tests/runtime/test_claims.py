"""One process at a time in a directory, whatever becomes of the one that was there."""

import os
import subprocess
import sys

import pytest

from cli.demo.nats_server import EmbeddedServer
from events.runtime.claims import Claim, InUse
from tests.full_disk import files_up_to

HOLDS = """
import sys
from pathlib import Path
from events.runtime.claims import Claim
claim = Claim(Path(sys.argv[1]), "lock")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_directory_is_claimed_once_and_again_after_it_was_released(tmp_path):
    claim = Claim(tmp_path / "new" / "place", "lock")
    with pytest.raises(InUse, match="place is in use by another process"):
        Claim(tmp_path / "new" / "place", "lock")
    claim.release()
    claim.release()
    Claim(tmp_path / "new" / "place", "lock").release()


def test_a_claim_names_its_process_and_ends_with_it_when_it_is_killed(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(InUse, match=str(process.pid)) as found:
            Claim(tmp_path, "lock")
        assert found.value.exit_code == 2
    finally:
        process.kill()
        process.wait()
    Claim(tmp_path, "lock").release()


async def test_two_nats_servers_never_work_on_the_same_store(tmp_path):
    async with EmbeddedServer(tmp_path):
        with pytest.raises(InUse):
            await EmbeddedServer(tmp_path).start()
    async with EmbeddedServer(tmp_path):
        pass


def test_a_claim_on_a_file_that_its_last_holder_removed_is_made_anew(tmp_path, monkeypatch):
    opened = os.open
    first = Claim(tmp_path, "lock")

    def late(*given, **more):
        number = opened(*given, **more)
        monkeypatch.setattr(os, "open", opened)
        (tmp_path / "lock").unlink()
        first.release()
        return number

    monkeypatch.setattr(os, "open", late)
    claim = Claim(tmp_path, "lock")
    with pytest.raises(InUse):
        Claim(tmp_path, "lock")
    claim.release()


def test_a_full_disk_is_no_claim_and_leaves_no_file(tmp_path):
    with files_up_to(0), pytest.raises(OSError, match="File too large"):
        Claim(tmp_path, "lock")
    assert list(tmp_path.iterdir()) == []
