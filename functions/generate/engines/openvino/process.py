"""Start the process that runs a model before the model is known, because its imports take as long as ours."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec

from events.runtime import children

_MODULE = "functions.generate.engines.openvino.model_process"
_MALLOC = "GLIBC_TUNABLES"
_HUGE_PAGES = "glibc.malloc.hugetlb"


def start_early(arguments: Sequence[str], environment: Mapping[str, str]) -> "ModelProcess | None":
    """Start the process before the settings are read, unless another engine or only help seems to be requested.

    `head_start` ends it if the settings name another engine.
    """
    elsewhere = environment.get("GENERATE_ENGINE") not in {None, "", "openvino"}  # openvino is the default
    if elsewhere or any(word.startswith(("-h", "--h", "--e")) for word in arguments):
        return None
    if not find_spec("openvino_genai"):
        return None
    try:
        return ModelProcess()
    except OSError:
        return None  # if the engine can't start one either, it raises the error


class ModelProcess:
    """A process that waits at the other end of `socket` for its model, and ends with this process."""

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair()
        with theirs:
            # A session of its own, because the parent handles Ctrl-C and lets it finish.
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", _MODULE, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                # Threads of numpy would only take time from the model.
                env={**with_huge_pages(os.environ), "OPENBLAS_NUM_THREADS": "1"},
            )
        children.register_group(self._process.pid)

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def wait(self, seconds: float | None = None) -> None:
        """Wait until the process has ended; kill it if that takes longer than `seconds`."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        children.unregister_group(self._process.pid)

    def kill(self) -> None:
        self._process.kill()

    def drop(self) -> None:
        """End the process before it was given a model."""
        self.socket.close()
        self.kill()
        self.wait()


def with_huge_pages(environment: Mapping[str, str]) -> dict[str, str]:
    """Return `environment` for a process whose memory is in pages of 2 MB, unless it says something else of them.

    A step reads all of a model's weights once, and waits for the tables of small pages. Linux gives large ones on
    request (`/sys/kernel/mm/transparent_hugepage/enabled`, "madvise" by default). OpenVINO makes none; glibc, from
    2.35, does for whatever it allocates, if a process is started so. Elsewhere this changes nothing.
    """
    given = [one for one in environment.get(_MALLOC, "").split(":") if one]
    if not any(one.startswith(f"{_HUGE_PAGES}=") for one in given):
        given.append(f"{_HUGE_PAGES}=1")
    return {**environment, _MALLOC: ":".join(given)}
