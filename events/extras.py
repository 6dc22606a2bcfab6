"""Commands that install an extra's packages, in a checkout, an image or from a wheel: no registry has timokha."""

import sys
from pathlib import Path

from events.version import own_version

ROOT = Path(__file__).resolve().parents[1]
_IMAGE = "image"
"""The file in an image's environment that holds the image's name."""
_ELSEWHERE = {
    "kurigram": "business",
    "rabbitmq": "bridge",
    "sandbox": "sandbox",
    "speedups": "userbot",
    "userbot": "userbot",
}
"""The images with extras that the image of `generate` lacks, by extra."""


def install_command(*extras: str, root: Path = ROOT, environment: str = sys.prefix) -> str:
    """Return the command that installs `extras` for this Python; `root` is the directory of the code."""
    if here := image(environment):
        return _in_images(here, extras)
    if _has_kurigram(environment):  # which excludes pyrogram
        extras = tuple(dict.fromkeys("kurigram" if extra == "userbot" else extra for extra in extras))
    names = ",".join(extras)
    if not in_checkout(root):
        return f"pip install 'timokha-{own_version() or 'VERSION'}-py3-none-any.whl[{names}]', where that wheel is"
    if Path(environment).resolve() == (root / ".venv").resolve():
        return f'make venv EXTRAS="{" ".join(extras)}", in {root}'
    if Path(environment).is_relative_to(root):
        return f'make venv VENV={Path(environment).relative_to(root)} EXTRAS="{" ".join(extras)}", in {root}'
    return f"pip install --editable '{root}[{names}]'"


def in_checkout(root: Path = ROOT) -> bool:
    """Return whether the code is in a checkout, where `make` installs packages."""
    return (root / "deploy/setup.sh").is_file()


def image(environment: str = sys.prefix) -> str:
    """Return the target in deploy/Dockerfile that this image was built from, empty outside an image."""
    name = Path(environment) / _IMAGE
    return name.read_text(encoding="utf-8").strip() if name.is_file() else ""


def in_image(environment: str = sys.prefix) -> bool:
    """Return whether this process runs in one of those images."""
    return bool(image(environment))


def _has_kurigram(environment: str) -> bool:
    return any(Path(environment).glob("lib/python3*/site-packages/[Kk]urigram-*.dist-info"))


def _in_images(here: str, extras: tuple[str, ...]) -> str:
    wanted = next((_ELSEWHERE[extra] for extra in extras if extra in _ELSEWHERE), "generate")
    if here == wanted == "generate":
        build = "make up builds the image timokha-generate with it"
        return f'IMAGE_EXTRAS="{" ".join(extras)}" in .env, then {build}'
    return f"this is the image timokha-{here}; timokha-{wanted} has it"
