"""Registers: what becomes of the updates of a bucket that is lost."""

from tests.promises.linearizable import OK
from tests.simulation.loop import SimulationLoop
from tests.simulation.nats.store import Store
from tests.simulation.registers import STREAM, Registers
from tests.simulation.stories import told


def test_a_bucket_that_was_lost_begins_anew() -> None:
    """Its records are other registers, and an update on the way when it was lost may belong to either."""

    async def story(loop: SimulationLoop) -> list[tuple[str, str]]:
        store = Store(loop.wall_clock)
        registers = Registers(store)
        store.streams[STREAM] = object()  # type: ignore[assignment]
        registers._end(registers._begin("1.2", None), OK, 1)
        begun = registers._begin("1.2", 1)
        store.streams[STREAM] = object()  # type: ignore[assignment]
        registers._end(begun, OK, 1)
        return [(update.key, update.result) for update in registers.updates]

    first, second = "1.2 in bucket 1", "1.2 in bucket 2"
    assert told(story) == [(first, OK), (first, "unknown"), (second, "unknown")]
