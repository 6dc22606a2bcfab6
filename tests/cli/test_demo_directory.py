"""The demo's directory: one that can't be used, and one of its own, which goes with it."""

import os
import signal
import subprocess
import sys

import pytest

from events.errors import SettingsError
from tests.demos import ROOT, WITHIN

pytest.importorskip("mtproto")
HOLDS = """
import threading
from cli.demo.command import _directory
from events.runtime.signals import Signals

signals = Signals(service=True)
signals.listen()
signals.stop_with(lambda: None, patience=60, forced=lambda: None)
with _directory(None) as directory:
    (directory / "nats").mkdir()
    print(directory, flush=True)
    threading.Event().wait()
"""


@pytest.mark.parametrize("name", ["file", "file/below", "dangling"])
def test_what_can_be_no_directory_is_one_line_that_names_the_setting(tmp_path, name):
    from cli.demo.command import _directory

    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SettingsError, match=r"DEMO_DIRECTORY: .* can't be used"), _directory(tmp_path / name):
        pass


def test_a_directory_of_its_own_goes_even_if_the_demo_ends_at_once(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", HOLDS], env=environment, stdout=subprocess.PIPE)
    try:
        assert process.stdout
        assert process.stdout.readline().startswith(bytes(tmp_path))
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
        assert process.returncode == 1
    finally:
        process.kill()
    assert list(tmp_path.iterdir()) == []


DOTENV = "GENERATE_ENGINE=echo\nUSERBOT_PREFIX='Эхо,'\nNATS_TLS_CA=none.pem\nBOT_TOKEN=1:x\n"
TOML = """
generate.engine = "echo"
userbot.prefix = "Эхо,"
nats_tls_ca = "none.pem"
bot_token = "1:x"
"""


@pytest.mark.parametrize(
    ("file", "text"), [(".env", DOTENV), pytest.param("timokha.toml", TOML, marks=pytest.mark.slow)]
)
def test_what_our_files_say_holds_in_the_demos_processes_which_work_elsewhere(tmp_path, file, text):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GENERATE_", "USERBOT_"))}
    (tmp_path / file).write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "cli", "demo", "--directory", "runs"],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        input="Эхо, раз\n".encode(),
        capture_output=True,
        timeout=WITHIN,
        check=False,
    )
    assert "bot> раз" in done.stdout.decode(), done.stderr.decode()
    assert (tmp_path / "runs/userbot.log").is_file()
