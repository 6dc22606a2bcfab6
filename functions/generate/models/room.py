"""Whether this machine can prepare a model at all: told before minutes have gone by."""

import os
from pathlib import Path
from shutil import disk_usage

from events.errors import TimokhaError
from functions.generate.engines.gguf import header
from functions.generate.engines.gguf.kinds import ELSEWHERE

MEMORY, MORE_MEMORY = 1e9, 5.5
"""Of a GGUF file; bytes, and for each parameter: measured, see docs/models.md."""
CONVERTING = 7.5
"""Instead, for each parameter of another model."""
TAKES = (
    f"it takes {MEMORY / 1e9:g} GB of memory, for each billion of parameters {MORE_MEMORY:g} GB more if it is a"
    f" GGUF file, else {CONVERTING:g}"
)
DISK = {8: 1.06, 4: 0.7}
"""Bytes a parameter, by the bits of a weight."""
SHARE = 0.8
"""Of what is reckoned with: less than this clearly can't do."""


def check(source: str, directory: Path, *, bits: int) -> None:
    """Raise TimokhaError if the GGUF file `source` clearly can't be prepared in `directory`."""
    if not Path(source).is_file():
        return
    parameters = header.read(Path(source)).parameters
    memory, disk = MEMORY + MORE_MEMORY * parameters, DISK[bits] * parameters
    there, free = _memory(), disk_usage(directory).free
    if there < SHARE * memory:
        raise TimokhaError(
            f"{source}: preparing {parameters / 1e9:.1f} billion parameters takes {memory / 1e9:.0f} GB of memory, and"
            f" this machine has {there / 1e9:.0f}: prepare it elsewhere, or {ELSEWHERE}"
        )
    if free < SHARE * disk:
        raise TimokhaError(
            f"{source}: prepared it takes {disk / 1e9:.1f} GB in {directory}, where {free / 1e9:.1f} are free:"
            " make room, or set TIMOKHA_CACHE"
        )


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
