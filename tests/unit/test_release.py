"""A release is refused, with one line that says what to do, unless the checkout is ready for it."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from deploy import release
from deploy.release import PLACES, Refused, check, check_changelog, named_versions, write

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
CHANGELOG = """\
# Changelog

## [Unreleased]

## [0.2.0] - 2026-12-01

### Added

- A bell.

## [0.1.0] - 2026-11-01

- All of it.
"""


def git(folder, *arguments):
    subprocess.run(["git", "-c", "user.name=N", "-c", "user.email=n@example.org", *arguments], cwd=folder, check=True)


@pytest.fixture
def checkout(tmp_path):
    """A repository with every file that names the version, ready to release 0.2.0."""
    for file, _ in PLACES:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text((ROOT / file).read_text().replace(VERSION, "0.2.0"))
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "ready")
    return tmp_path


def refusal(root, version="0.2.0"):
    with pytest.raises(Refused) as refused:
        check(root, version)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_checkout_that_is_ready_is_accepted(checkout):
    check(checkout, "0.2.0")


@pytest.mark.parametrize("version", ["", "1.2", "v0.2.0", "0.2.0rc1", "0.2.0 "])
def test_what_is_no_version_is_refused(checkout, version):
    assert "give three numbers, e.g. VERSION=1.2.3" in refusal(checkout, version)


def test_what_is_not_committed_is_refused(checkout):
    (checkout / "new.txt").touch()
    assert refusal(checkout) == "1 files are changed or new, e.g. new.txt: commit or remove them"


def test_a_version_that_was_released_is_refused(checkout):
    git(checkout, "tag", "v0.2.0")
    assert refusal(checkout) == "the tag v0.2.0 exists: choose the next version"


@pytest.mark.parametrize("file", [file for file, _ in PLACES])
def test_a_place_that_names_another_version_is_named(checkout, file):
    place = checkout / file
    place.write_text(place.read_text().replace("0.2.0", "0.1.9"))
    git(checkout, "commit", "--quiet", "--all", "--message", "late")
    assert refusal(checkout) == f"{file} says 0.1.9: run `make version VERSION=0.2.0`, and commit what it writes"


def test_what_was_written_and_committed_is_ready(checkout):
    changelog = checkout / "CHANGELOG.md"
    changelog.write_text(CHANGELOG.replace("[Unreleased]", "[Unreleased]\n\n- A whistle."))
    for _ in range(2):
        assert write(checkout, "1.0.0")[-1] == "CHANGELOG.md"
    git(checkout, "commit", "--quiet", "--all", "--message", "1.0.0")
    check(checkout, "1.0.0")
    assert {version for _, version in named_versions(checkout)} == {"1.0.0"}
    assert re.search(r"## \[Unreleased\]\n\n## \[1\.0\.0\] - .*\n\n- A whistle\.", changelog.read_text())
    assert changelog.read_text().count("1.0.0") == 1


def test_every_place_names_todays_version():
    assert {version for _, version in named_versions(ROOT)} == {VERSION}


@pytest.mark.parametrize(
    ("changelog", "said"),
    [
        (CHANGELOG.replace("0.2.0", "0.3.0"), "has no section for 0.2.0 first: write `## [0.2.0] - "),
        (CHANGELOG.replace("## [0.2.0] - 2026-12-01", ""), "has no section for 0.2.0 first: write `## [0.2.0] - "),
        (CHANGELOG.replace(" - 2026-12-01", ""), "the section of 0.2.0 has no date: write `## [0.2.0] - "),
        (CHANGELOG.replace("- A bell.", ""), "the section of 0.2.0 is empty: say what users notice"),
    ],
)
def test_a_changelog_without_the_versions_section_is_refused(changelog, said):
    with pytest.raises(Refused, match=r"^CHANGELOG\.md") as refused:
        check_changelog(changelog, "0.2.0")
    assert said in str(refused.value)


def test_a_command_that_fails_is_named(tmp_path, capsys):
    with pytest.raises(Refused, match=r"^`git log` failed, see above: mend that, and repeat$"):
        release._run(tmp_path, "git", "log")
    assert "not a git repository" in capsys.readouterr().err


def test_a_refusal_is_one_line_and_the_exit_code_1(capsys):
    assert release.main(["build", "next"]) == 1
    assert capsys.readouterr().err.startswith("release: VERSION='next' is no version: ")


@pytest.mark.slow
def test_what_is_committed_is_built_and_the_wheel_can_be_started(tmp_path):
    git(tmp_path, "clone", "--quiet", str(ROOT), "clone")
    version = dict(named_versions(tmp_path / "clone"))["pyproject.toml"]
    source, wheel = release.build(tmp_path / "clone", version)
    assert source.name == f"timokha-{version}.tar.gz"
    release.try_wheel(wheel)
