"""Check and build a release: `make release VERSION=1.2.3`. It publishes and tags nothing, and says what is left to do.

The tree must be clean, every place that names the version must name this one, and CHANGELOG.md must have its section.
Then a wheel and a source distribution are built in dist/, and the wheel's command is started in a new environment.
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
)
"""Where the version stands: the first place is read by programs, the others are examples and the chart."""


class Refused(Exception):
    """There is no release. The text is one line that says what to do."""


def check(root: Path, version: str) -> None:
    """Raise Refused if the checkout at `root` is not ready to be released as `version`."""
    if not re.fullmatch(VERSION, version):
        raise Refused(f"VERSION={version!r} is no version: give three numbers, e.g. make release VERSION=1.2.3")
    if changed := _git(root, "status", "--porcelain").splitlines():
        raise Refused(f"{len(changed)} files are changed or new, e.g. {changed[0][3:]}: commit or remove them")
    if _git(root, "tag", "--list", f"v{version}"):
        raise Refused(f"the tag v{version} exists: choose the next version")
    for file, found in named_versions(root):
        if found != version:
            raise Refused(f"{file} says {found or 'no version'}: write {version} there, and commit it")
    check_changelog((root / "CHANGELOG.md").read_text(encoding="utf-8"), version)


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
    heading = f"## [{version}] - {date.today():%Y-%m-%d}"  # noqa: TID251 - the day is the reader's
    if not released or released[0][0] != version:
        raise Refused(f"CHANGELOG.md has no section for {version} first: write `{heading}` below `## [Unreleased]`")
    _, day, lines = released[0]
    if not re.fullmatch(r" - \d{4}-\d\d-\d\d", day):
        raise Refused(f"CHANGELOG.md: the section of {version} has no date: write `{heading}`")
    if not re.search(r"^- ", lines, re.MULTILINE):
        raise Refused(f"CHANGELOG.md: the section of {version} is empty: say what users notice")


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
    version = arguments[0] if arguments else ""
    try:
        check(ROOT, version)
        built = build(ROOT, version)
        try_wheel(built[1])
    except Refused as problem:
        sys.stderr.write(f"release: {problem}\n")
        return 1
    sys.stdout.writelines(f"{path.relative_to(ROOT)}\n" for path in built)
    sys.stdout.write(
        f"Ready, nothing is published. Next: git tag --annotate v{version}, push it, and attach both files.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
