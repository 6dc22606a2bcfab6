"""When users saw what: Telegram itself dates messages in whole seconds."""

from dataclasses import dataclass, field

from edge.sandbox.server import Sandbox
from tests.simulation.loop import SimulationLoop


@dataclass
class Watching:
    """`came` and `changed`, by user or supergroup, and message: seconds of the loop."""

    telegram: Sandbox
    loop: SimulationLoop
    came: dict[tuple[int, int], float] = field(default_factory=dict)
    changed: dict[tuple[int, int], float] = field(default_factory=dict)
    _texts: dict[tuple[int, int], str] = field(default_factory=dict)

    def begin(self) -> None:
        """Look after everything that Telegram does."""
        connections = self.telegram._connections
        notify = connections.notify

        def look_and_notify() -> None:
            self._look()
            notify()

        connections.notify = look_and_notify  # type: ignore[method-assign]

    def _look(self) -> None:
        now, state = self.loop.time(), self.telegram.state
        boxes = [(one.id, one.box) for one in (*state.accounts.values(), *state.groups.values()) if one.box]
        for owner, box in boxes:
            for id_, message in box.messages.items():
                key = owner, id_
                if key not in self._texts:
                    self.came[key] = now
                elif self._texts[key] != message.text:
                    self.changed[key] = now
                self._texts[key] = message.text
