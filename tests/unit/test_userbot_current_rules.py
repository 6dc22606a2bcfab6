"""The rules follow their files while the userbot runs."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from cli.config.reading import read_anew
from edge.userbot.current_rules import RULES, CurrentRules, rules_of
from edge.userbot.people import Person
from edge.userbot.rules import DEFAULT_PREFIX
from edge.userbot.settings import UserbotSettings
from tests.clocks import ManualClock

GIVEN = {"api_id": "1", "api_hash": "x"}
WITHOUT_RESTART_UNSAFE = {"deadline", "catch_up_window"}
"""Settings of rules that other parts of the userbot know from its start as well."""


class Owner:
    """An owner who edits the settings of a running userbot."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.rules = CurrentRules(UserbotSettings.read(**GIVEN), lambda: read_anew(UserbotSettings, GIVEN))
        self.settle()

    def settle(self) -> list[dict]:
        """What is logged until the userbot has seen the files as they are."""
        with capture_logs() as logged:
            for _ in range(3):
                self.rules.look()
        return logged

    def writes(self, text: str) -> list[dict]:
        self.file.write_text(text)
        return self.settle()


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Owner]:
    monkeypatch.chdir(tmp_path)

    def start(text: str | None = None, file: Path = tmp_path / "timokha.toml") -> Owner:
        if text is not None:
            file.write_text(text)
        return Owner(file)

    return start


def changed(*variables: str) -> list[dict]:
    return [{"event": "rules.changed", "log_level": "info", "settings": ", ".join(variables)}]


def test_a_changed_file_changes_the_rules_and_the_log_names_the_settings_without_their_values(start) -> None:
    owner = start('[userbot]\nprefix = "a"\n')
    assert owner.writes('[userbot]\nprefix = "b"\nlive = true\n') == changed("USERBOT_LIVE", "USERBOT_PREFIX")
    assert (owner.rules().prefix, owner.rules().live) == ("b", True)


def test_a_file_that_stays_the_same_is_read_once(start) -> None:
    owner = start('[userbot]\nprefix = "a"\n')
    reads = 0

    def read() -> UserbotSettings:
        nonlocal reads
        reads += 1
        return UserbotSettings.read(**GIVEN)

    owner.rules._read_anew = read
    assert owner.settle() == []
    assert reads == 0
    assert owner.writes('[userbot]\nprefix = "a" # the same\n') == []
    assert reads == 1


def test_what_changed_between_the_start_and_the_first_look_is_not_missed(start) -> None:
    settings = UserbotSettings.read(**GIVEN)
    start('[userbot]\nprefix = "b"\n')
    rules = CurrentRules(settings, lambda: read_anew(UserbotSettings, GIVEN))
    rules.look()
    rules.look()
    assert rules().prefix == "b"


def test_a_file_that_appears_counts_and_one_that_vanishes_leaves_the_other_places(start) -> None:
    owner = start()
    assert owner.writes('[userbot]\nprefix = "b"\n') == changed("USERBOT_PREFIX")
    owner.file.unlink()
    assert owner.settle() == changed("USERBOT_PREFIX")
    assert owner.rules().prefix == DEFAULT_PREFIX


def test_a_file_that_is_gone_for_a_moment_changes_nothing(start) -> None:
    owner = start('[userbot]\nprefix = "a"\n')
    owner.file.rename(owner.file.with_suffix(".bak"))
    owner.rules.look()
    owner.file.write_text('[userbot]\nprefix = "a"\n')
    assert owner.settle() == []
    assert owner.rules().prefix == "a"


def test_a_file_that_is_being_written_is_not_read_before_it_stays_the_same(start) -> None:
    owner = start('[userbot]\nprefix = "a"\nlive = true\n')
    whole = '[userbot]\nprefix = "b"\nlive = true\n'
    with capture_logs() as logged:
        for end in range(0, len(whole), 5):
            owner.file.write_text(whole[:end])
            owner.rules.look()
            assert owner.rules().prefix == "a"
    assert logged == []
    assert owner.writes(whole) == changed("USERBOT_PREFIX")


@pytest.mark.parametrize("left", ['[userbot]\nprefix = "b', "", "[userbot]\nprefx = 'b'\n", "[userbot]\nlive = 5\n"])
def test_a_bad_file_keeps_the_old_rules_and_says_why_once_until_it_is_mended(start, left) -> None:
    owner = start('[userbot]\nprefix = "a"\nlive = true\n')
    (line,) = owner.writes(left)
    assert (line["event"], line["log_level"]) == ("rules.not_changed", "error")
    assert line["problem"].startswith("timokha.toml")
    assert (owner.rules().prefix, owner.rules().live) == ("a", True)
    assert owner.settle() == []
    assert owner.writes('[userbot]\nprefix = "a"\nlive = true\n') == changed("none")
    assert owner.writes('[userbot]\nprefix = "c"\n') == changed("USERBOT_LIVE", "USERBOT_PREFIX")


def test_a_file_without_right_to_read_keeps_the_old_rules(start, monkeypatch) -> None:
    owner = start('[userbot]\nprefix = "a"\n')
    owner.file.unlink()
    owner.file.mkdir()  # as root may read everything, a folder stands for it
    (line,) = owner.settle()
    assert line["event"] == "rules.not_changed"
    assert owner.rules().prefix == "a"


def test_an_empty_file_at_the_start_is_one_without_settings(start) -> None:
    owner = start("")
    assert owner.settle() == []
    assert owner.writes('[userbot]\nprefix = "b"\n') == changed("USERBOT_PREFIX")


def test_a_file_replaced_by_rename_counts(start, tmp_path) -> None:
    owner = start('[userbot]\nprefix = "a"\n')
    for prefix in ("b", "c"):  # of the same length
        new = tmp_path / "timokha.toml.swp"
        new.write_text(f'[userbot]\nprefix = "{prefix}"\n')
        new.rename(owner.file)
        assert owner.settle() == changed("USERBOT_PREFIX")
        assert owner.rules().prefix == prefix


def test_another_target_of_a_symbolic_link_counts_as_in_a_configmap_of_kubernetes(start, tmp_path, monkeypatch) -> None:
    """timokha.toml → ..data/timokha.toml, ..data → ..2026_11_27: the link ..data is replaced by rename."""
    mount = tmp_path / "mount"
    mount.mkdir()

    def publish(version: str, prefix: str) -> None:
        (mount / version).mkdir()
        (mount / version / "timokha.toml").write_text(f'[userbot]\nprefix = "{prefix}"\n')
        (mount / "..data_tmp").symlink_to(version)
        (mount / "..data_tmp").rename(mount / "..data")

    publish("..2026_11_27_1", "a")
    (mount / "timokha.toml").symlink_to("..data/timokha.toml")
    monkeypatch.setenv("TIMOKHA_CONFIG", str(mount / "timokha.toml"))
    owner = start()
    assert owner.rules().prefix == "a"
    publish("..2026_11_27_2", "b")
    assert owner.settle() == changed("USERBOT_PREFIX")
    assert owner.rules().prefix == "b"


def test_a_folder_that_is_unmounted_keeps_the_old_rules(start, tmp_path, monkeypatch) -> None:
    mount = tmp_path / "mount"
    mount.mkdir()
    monkeypatch.setenv("TIMOKHA_CONFIG", str(mount / "timokha.toml"))
    owner = start('[userbot]\nprefix = "a"\n', mount / "timokha.toml")
    mount.rename(tmp_path / "away")
    (line,) = owner.settle()
    assert (line["event"], owner.rules().prefix) == ("rules.not_changed", "a")
    (tmp_path / "away").rename(mount)
    assert owner.settle() == changed("none")


def test_dotenv_is_followed_too_and_wins(start, tmp_path) -> None:
    owner = start('[userbot]\nprefix = "a"\n')
    (tmp_path / ".env").write_text("USERBOT_PREFIX=b\n")
    assert owner.settle() == changed("USERBOT_PREFIX")
    assert owner.writes('[userbot]\nprefix = "c"\n') == []
    assert owner.rules().prefix == "b"


@pytest.mark.parametrize("name", [".env", "timokha.toml"])
def test_a_file_that_was_emptied_lifts_no_rule(start, tmp_path, name) -> None:
    text = {".env": "USERBOT_DENY=@anna\n", "timokha.toml": '[userbot]\ndeny = ["@anna"]\n'}[name]
    owner = start(text, tmp_path / name)
    anna = Person(id="7", usernames=frozenset({"anna"}))
    (line,) = owner.writes("")
    assert line["problem"] == f"{name} is empty; fill it, or remove it to set nothing"
    other = tmp_path / ({".env", "timokha.toml"} - {name}).pop()
    other.write_text("# a change elsewhere\n")
    assert owner.settle() == [line]
    assert owner.rules().deny.includes(anna, "2")
    assert owner.writes(text) == changed("none")
    owner.file.unlink()
    assert owner.settle() == changed("USERBOT_DENY")


def test_an_option_of_the_start_wins_for_as_long_as_the_process_runs(start, monkeypatch) -> None:
    monkeypatch.setitem(GIVEN, "prefix", "option")
    owner = start('[userbot]\nprefix = "a"\n')
    assert owner.writes('[userbot]\nprefix = "b"\n') == []
    assert owner.rules().prefix == "option"


def test_what_needs_a_restart_stays_as_it_is_and_is_named_once(start) -> None:
    owner = start("[userbot]\ndeadline = 50\n")
    logged = owner.writes("nats_password = 'secret'\n[userbot]\ndeadline = 60\nlive = true\n")
    assert logged == [
        *changed("USERBOT_LIVE"),
        {
            "event": "settings.need_restart",
            "log_level": "warning",
            "settings": "NATS_PASSWORD, USERBOT_DEADLINE",
            "advice": "restart the userbot to apply them",
        },
    ]
    assert owner.rules().deadline.total_seconds() == 50
    assert owner.writes("nats_password = 'secret'\n[userbot]\ndeadline = 60\n") == changed("USERBOT_LIVE")


def test_what_is_different_for_a_person_changes_too(start) -> None:
    owner = start('[contacts."@anna"]\nlanguage = "en"\n')
    anna = Person(id="7", usernames=frozenset({"anna"}))
    assert owner.rules().for_person(anna).only_locale == "en"
    assert owner.writes('[contacts."@anna"]\nlanguage = "ru"\n') == changed("TIMOKHA_CONTACTS")
    assert owner.rules().for_person(anna).only_locale == "ru"


def test_every_setting_that_makes_a_rule_takes_effect_without_a_restart_or_is_known_not_to() -> None:
    read: set[str] = set()

    class Recorder:
        def __getattr__(self, name: str) -> object:
            read.add(name)
            return getattr(settings, name)

    settings = UserbotSettings.read(**GIVEN)
    rules_of(Recorder())  # type: ignore[arg-type]
    assert read - WITHOUT_RESTART_UNSAFE == RULES


async def test_the_files_are_looked_at_again_and_again(start) -> None:
    owner = start('[userbot]\nprefix = "a"\n')
    owner.file.write_text('[userbot]\nprefix = "b"\n')
    keeping = asyncio.create_task(owner.rules.keep_current(ManualClock()))
    async with asyncio.timeout(30):
        while owner.rules().prefix != "b":  # noqa: ASYNC110 - a file
            await asyncio.sleep(0)
    keeping.cancel()
