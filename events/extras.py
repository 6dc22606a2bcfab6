"""How to get the packages of an extra in a checkout, in an image, and from a wheel: no registry has timokha itself."""

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_IMAGE = "image"
"""The file that tells an image's environment."""


def install(*extras: str, root: Path = ROOT, environment: str = sys.prefix) -> str:
    """Return the command that installs `extras` beside this Python; `root` is where the code lies."""
    names = ",".join(extras)
    if in_image(environment):
        return f'IMAGE_EXTRAS="{" ".join(extras)}" in .env, then make up'
    if not (root / "deploy/setup.sh").is_file():
        return f"pip install 'timokha-{_version()}-py3-none-any.whl[{names}]', where that wheel is"
    if Path(environment).resolve() == (root / ".venv").resolve():
        return f'make venv EXTRAS="{" ".join(extras)}", in {root}'
    if Path(environment).is_relative_to(root):
        return f'make venv VENV={Path(environment).relative_to(root)} EXTRAS="{" ".join(extras)}", in {root}'
    return f"pip install --editable '{root}[{names}]'"


def in_image(environment: str = sys.prefix) -> bool:
    """Return whether this runs in the image of `timokha generate`."""
    return (Path(environment) / _IMAGE).is_file()


def _version() -> str:
    try:
        return version("timokha")
    except PackageNotFoundError:  # run from a copy of the code
        return "VERSION"
