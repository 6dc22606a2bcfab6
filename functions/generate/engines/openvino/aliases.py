"""Several numbers for one token: the engine marks the end of each prompt, so that no cache takes it for another's.

OpenVINO's attention adds up in one order for a token alone and in another for several at once (executor_pa.cpp), and
the last bits differ. A token is alone when it is written, and when a prompt is in GenAI's prefix cache up to one token.
So the two tokens at the end of a prompt are always read anew, together, and with them what was written after a prompt
when it comes back in the next one. For that one of them gets another number in each job; the graph takes it off again.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from functions.generate.engines.openvino.protocol import Job

BITS = 20
"""Of a token's own number; larger vocabularies are not marked."""
NAME = "token of an alias"
"""Of the operation in the graph that takes marks off."""
_MARKS = 2**11 - 1
"""What is left above them in 31 bits, OpenVINO's integers; 0 is no mark."""


def are_known(directory: Path) -> bool:
    """Whether the prepared model in `directory` takes marks off."""
    return NAME.encode() in (directory / "openvino_model.xml").read_bytes()


def marked(ids: NDArray[np.int64], job: Job) -> NDArray[np.int64]:
    """`ids`, the prompt of `job`, with its mark; and those of earlier stages, so that what these read is found."""
    found = ids.copy()
    for number, length in (*job.earlier, (job.number, len(ids))):
        for place, mark in ((length - 2, 1 + number % _MARKS), (length - 3, number // _MARKS % _MARKS)):
            if place >= 0:
                found[place] = (ids[place] & (1 << BITS) - 1) | mark << BITS
    return found
