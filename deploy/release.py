"""Write a version in every place, `make version VERSION=1.2.3`; check and build its release, `make release`.

For a release the tree must be clean, every place that names the version must name this one, and CHANGELOG.md must have
its section. Then a wheel and a source distribution are built in dist/, and the wheel's command is started in a new
environment. Nothing is published or tagged; the last line says what is left to do.
"""

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSION = r"(?P<version>\d+\.\d+\.\d+)"
SOURCE = ("pyproject.toml", rf'^version = "{VERSION}"$')
PLACES = (
    SOURCE,
    ("README.md", rf"dist/timokha-{VERSION}-py3"),
    ("README.ru.md", rf"dist/timokha-{VERSION}-py3"),
    ("deploy/helm/timokha/Chart.yaml", rf"^(?:version|appVersion): {VERSION}$"),
    ("deploy/helm/timokha/ci/middle.yaml", rf"\btag: {VERSION},"),
    ("docs/decisions/package-names.md", rf"dist/timokha-{VERSION}-py3"),
    ("docs/kubernetes.md", rf"timokha-\$part:{VERSION}"),
    ("docs/userbot.md", rf"^ +Timokha {VERSION}$"),
    ("tests/docs/commands.toml", rf"dist/timokha-{VERSION}-py3"),
    ("tests/docs/commands.toml", rf"timokha-\$part:{VERSION}"),
)
"""Where the version stands: the first place is read by programs, the others are examples and the chart."""


class Refused(Exception):
    """There is no release. The text is one line that says what to do."""


def write(root: Path, version: str) -> list[str]:
    """Write `version` in every place, make CHANGELOG's unreleased lines its section, and return the files' names."""
    _must_be_version(version)
    for file, pattern in PLACES:
        place = root / file
        place.write_text(_with_version(place.read_text(encoding="utf-8"), pattern, version), encoding="utf-8")
    changelog = root / "CHANGELOG.md"
    heading = f"## [Unreleased]\n\n{_heading(version)}\n"
    text = changelog.read_text(encoding="utf-8")
    if f"## [{version}]" not in text:
        changelog.write_text(text.replace("## [Unreleased]\n", heading, 1), encoding="utf-8")
    return [*dict.fromkeys(file for file, _ in PLACES), changelog.name]


def _with_version(text: str, pattern: str, version: str) -> str:
    for found in reversed([*re.finditer(pattern, text, re.MULTILINE)]):
        begin, end = found.span("version")
        text = text[:begin] + version + text[end:]
    return text


def check(root: Path, version: str) -> None:
    """Raise Refused if the checkout at `root` is not ready to be released as `version`."""
    _must_be_version(version)
    if changed := _git(root, "status", "--porcelain").splitlines():
        raise Refused(f"{len(changed)} files are changed or new, e.g. {changed[0][3:]}: commit or remove them")
    if _git(root, "tag", "--list", f"v{version}"):
        raise Refused(f"the tag v{version} exists: choose the next version")
    for file, found in named_versions(root):
        if not found:
            raise Refused(f"{file} names no version any more: mend its pattern in deploy/release.py")
        if found != version:
            raise Refused(f"{file} says {found}: run `make version VERSION={version}`, and commit what it writes")
    check_changelog((root / "CHANGELOG.md").read_text(encoding="utf-8"), version)


def _must_be_version(version: str) -> None:
    if not re.fullmatch(VERSION, version):
        raise Refused(f"VERSION={version!r} is no version: give three numbers, e.g. VERSION=1.2.3")


def named_versions(root: Path) -> Iterator[tuple[str, str]]:
    """Yield each place that names the version, with what stands there; an empty text if nothing does."""
    for file, pattern in PLACES:
        found = [
            one["version"] for one in re.finditer(pattern, (root / file).read_text(encoding="utf-8"), re.MULTILINE)
        ]
        yield from ((file, version) for version in found or [""])


def check_changelog(text: str, version: str) -> None:
    """Raise Refused unless the newest section that is released is that of `version`, with a date and lines."""
    sections = re.findall(r"^## \[([^\]]+)\](.*)\n((?:(?!## ).*\n?)*)", text, re.MULTILINE)
    released = [section for section in sections if section[0] != "Unreleased"]
    heading = _heading(version)
    if not released or released[0][0] != version:
        raise Refused(f"CHANGELOG.md has no section for {version} first: write `{heading}` below `## [Unreleased]`")
    _, day, lines = released[0]
    if not re.fullmatch(r" - \d{4}-\d\d-\d\d", day):
        raise Refused(f"CHANGELOG.md: the section of {version} has no date: write `{heading}`")
    if not re.search(r"^- ", lines, re.MULTILINE):
        raise Refused(f"CHANGELOG.md: the section of {version} is empty: say what users notice")


def _heading(version: str) -> str:
    return f"## [{version}] - {date.today():%Y-%m-%d}"  # noqa: TID251 - the day is the reader's


def build(root: Path, version: str) -> list[Path]:
    """Return the wheel and the source distribution, built in dist/ from what is committed."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "source.tar"
        _git(root, "archive", "--output", str(archive), "HEAD")
        with tarfile.open(archive) as packed:
            packed.extractall(Path(folder) / "source", filter="data")
        built = Path(folder) / "source/dist"
        _run(built.parent, sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel")
        names = [f"timokha-{version}.tar.gz", f"timokha-{version}-py3-none-any.whl"]
        (root / "dist").mkdir(exist_ok=True)
        return [Path(shutil.copy(built / name, root / "dist" / name)) for name in names]


def try_wheel(wheel: Path) -> None:
    """Install the wheel with the newest packages that it allows, and start its command elsewhere."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        _run(here, sys.executable, "-m", "venv", "venv")
        _run(here, "venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel))
        if "Usage: timokha" not in _run(here, "venv/bin/timokha", "--help"):
            raise Refused(f"`timokha --help` of {wheel.name} shows no help: try it in a new environment")


def _git(root: Path, *arguments: str) -> str:
    return _run(root, "git", *arguments)


def _run(folder: Path, *command: str) -> str:
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if ran.returncode:
        sys.stderr.write(ran.stderr)
        raise Refused(f"`{' '.join(command)}` failed, see above: mend that, and repeat")
    return ran.stdout


def main(arguments: list[str]) -> int:
    task, version = (*arguments, "", "")[:2]
    try:
        sys.stdout.write(_write(version) if task == "write" else _release(version))
    except Refused as problem:
        sys.stderr.write(f"release: {problem}\n")
        return 1
    return 0


def _write(version: str) -> str:
    written = ", ".join(write(ROOT, version))
    return f"{version} stands in {written}. Next: read `git diff`, commit it, make release VERSION={version}\n"


def _release(version: str) -> str:
    check(ROOT, version)
    source, wheel = build(ROOT, version)
    try_wheel(wheel)
    built = "".join(f"{path.relative_to(ROOT)}\n" for path in (source, wheel))
    return f"{built}Ready, nothing is published. Next: git tag --annotate v{version}, push it, and attach both files.\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
