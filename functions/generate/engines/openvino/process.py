"""The process that steps a model, started before it is known which: what it imports takes as long as what we do."""

import os
import socket
import subprocess
import sys

from events.runtime import children
from functions.generate.engines.openvino import huge_pages

_MODULE = "functions.generate.engines.openvino.model_process"


class Process:
    """On its way when this returns; it waits at the other end of `socket` for its model. It ends with us."""

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair()
        with theirs:
            # A session of its own: Ctrl-C is for the parent, which lets it finish.
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", _MODULE, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                # What numpy starts to multiply matrices would only take time from the model.
                env={**huge_pages.asked_for(os.environ), "OPENBLAS_NUM_THREADS": "1"},
            )
        children.register_group(self._process.pid)

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def wait(self, seconds: float | None = None) -> None:
        """Until it has ended; kill it if that takes longer than so many `seconds`."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        children.unregister_group(self._process.pid)

    def kill(self) -> None:
        self._process.kill()

    def drop(self) -> None:
        """End it, if it has got no model."""
        self.socket.close()
        self.kill()
        self.wait()
