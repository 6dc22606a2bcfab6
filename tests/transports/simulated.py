"""The simulated NATS server on real loopback and real time, where tests put it in the place of the real one."""

from random import Random

from cli.demo.nats_server import HOST
from events.runtime.clock import SystemClock
from tests.simulation.nats.server import NatsServer
from tests.simulation.nats.store import Store


def simulated_nats() -> NatsServer:
    return NatsServer(Store(_wall_clock), HOST, 0, random=Random(1))


def _wall_clock() -> float:
    return SystemClock().now().timestamp()
