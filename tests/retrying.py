"""How tests retry where it does not matter: by the system's clock, with the same pauses each time."""

from random import Random

from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying

RETRYING = Retrying(SystemClock(), Random(1))
