"""What the storm did, and when: what the judge explains a silence with."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests.promises.disturbances import Disturbances
from tests.promises.lines.disturbances import Disturbance


class Chronicle(Disturbances):
    @contextmanager
    def during(self, what: str, whom: str, account: str = "") -> Iterator[None]:
        noted = Disturbance(what, whom, time.monotonic(), account=account)
        self.disturbances.append(noted)
        try:
            yield
        finally:
            self.end(noted)

    def end(self, noted: Disturbance) -> None:
        """It is over now."""
        ended = replace(noted, ended=time.monotonic())
        self.disturbances[self.disturbances.index(noted)] = ended

    def write(self, path: Path) -> None:
        """A line each, in UTC, to lay beside the logs."""
        ahead = time.time() - time.monotonic()
        lines = [
            f"{datetime.fromtimestamp(noted.began + ahead, UTC):%H:%M:%S.%f} {noted.ended - noted.began:6.2f} s  "
            f"{noted.what} {noted.whom} {noted.account}".rstrip()
            + "\n"
            for noted in self.disturbances
        ]
        path.write_text("".join(lines))
