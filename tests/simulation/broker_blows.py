"""Which blows at RabbitMQ, the models and the streams' retention a plan has beside the others.

`broker_faults.py` strikes them.
"""

from collections.abc import Iterator
from random import Random

SHARE = 0.35
"""Of the seeds, how many have such blows; and how many they have:"""
COUNT = (1, 4)
KINDS = {"engine_failing": 3, "engine_slow": 4, "setup": 3}
OF_RABBITMQ = {
    "channels_closed": 4,
    "connections_closed": 2,
    "frozen": 3,
    "alarm": 2,
    "nacked": 3,
    "queue_deleted": 4,
    "store_emptied": 1,
}
OF_PROGRAM = {"queue_reshaped": 2, "head_rejected": 2}
"""Where another program has a queue of its own."""


def drawn(seed: int, until: float, *, rabbitmq: bool, program: bool) -> Iterator[tuple[float, str, str, float]]:
    """Yield what a blow of a plan has: when, what, whom, and its size."""
    chance = Random(f"broker blows {seed}")
    if chance.random() >= SHARE:
        return
    kinds = KINDS | (OF_RABBITMQ if rabbitmq or program else {}) | (OF_PROGRAM if program else {})
    for _ in range(chance.randint(*COUNT)):
        (what,) = chance.choices(list(kinds), list(kinds.values()))
        yield round(chance.uniform(0, until), 3), f"broker_{what}", "", round(chance.random(), 3)
