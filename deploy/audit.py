"""Look up known vulnerabilities of the locked packages: `make audit`. pip-audit runs in an environment of its own.

Exit code 0 if none is known, 1 if one is, 2 if pip-audit can't be installed or fails. If the service that knows them
can't be reached, one line says so, and the exit code is 0: nothing was looked up.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
VENV = ROOT / "build/audit"
TOOL = "pip-audit==2.10.1"
SKIPPED = "skipped: the service that knows vulnerabilities can't be reached from here, so nothing was looked up"
UNREACHED = ("ConnectionError", "ConnectTimeout", "NameResolutionError", "ServiceError")


def locked() -> list[list[str]]:
    """Return the locked packages with their versions, as pip writes them, in lists that name each package once.

    Another Python may have another version of a package.
    """
    locks = (lock.read_text(encoding="utf-8") for lock in (ROOT / "deploy/locks").glob("*.txt"))
    found = {line for lock in locks for line in re.findall(r"^[a-z0-9][a-z0-9.-]*==[^ ;\n]+", lock, re.MULTILINE)}
    versions: dict[str, list[str]] = {}
    for line in sorted(found):
        versions.setdefault(line.partition("==")[0], []).append(line)
    most = max(map(len, versions.values()))
    return [[lines[turn] for lines in versions.values() if turn < len(lines)] for turn in range(most)]


def install() -> None:
    marker = VENV / TOOL
    if not marker.exists():
        _run(sys.executable, "-m", "venv", "--clear", str(VENV)).check_returncode()
        _run(str(VENV / "bin/python"), "-m", "pip", "install", "--quiet", TOOL).check_returncode()
        marker.touch()


def ask(packages: Sequence[str], arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    file = VENV / "packages.txt"
    file.write_text("\n".join(packages) + "\n", encoding="utf-8")
    how = ["--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    return _run(str(VENV / "bin/pip-audit"), *how, "--requirement", str(file), *arguments)


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours


def judge(answers: Sequence[tuple[str, str]]) -> tuple[int, list[str]]:
    """Return the exit code, and what to say of pip-audit's answers in JSON, each with what it wrote of errors."""
    packages: list[dict[str, Any]] = []
    for answer, errors in answers:
        try:
            packages += json.loads(answer)["dependencies"]
        except ValueError:
            if any(sign in errors for sign in UNREACHED):
                return 0, [SKIPPED]
            return 2, (errors.strip().splitlines() or ["pip-audit gave no answer"])[-1:]
    left_out = [f"{one['name']} was not looked up: {one['skip_reason']}" for one in packages if "skip_reason" in one]
    if len(left_out) == len(packages):
        return 0, [SKIPPED]
    found = [line for one in packages for line in _vulnerabilities(one)]
    known = f"{len(packages) - len(left_out)} locked packages looked up, known vulnerabilities: {len(found)}"
    return int(bool(found)), [*left_out, *found, known]


def _vulnerabilities(package: dict[str, Any]) -> Iterator[str]:
    for one in package.get("vulns", ()):
        fixed = f"fixed in {', '.join(one['fix_versions'])}: `make lock`" if one["fix_versions"] else "not fixed yet"
        yield f"{package['name']} {package['version']}: {', '.join([one['id'], *one['aliases']])}, {fixed}"


def main(arguments: Sequence[str]) -> int:
    try:
        install()
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"{error.stderr}audit: {TOOL} could not be installed in {VENV}; is there a network?\n")
        return 2
    answered = [ask(packages, arguments) for packages in locked()]
    code, lines = judge([(one.stdout, one.stderr) for one in answered])
    (sys.stderr if code else sys.stdout).writelines(f"audit: {line}\n" for line in lines)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
