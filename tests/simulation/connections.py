"""What a plan has if people connect a bot to their accounts: two persons with one bot, and what they and others do.

Only where the Telegram client knows Business connections.
"""

from random import Random

from edge.sandbox.business_types import HAS_BUSINESS

PROCESS = "business"
EDGES = ("business-1", "business-2")
OFTEN = 1 / 3
"""How likely a plan has them, in place of its other accounts."""


def edges_of(seed: int) -> tuple[str, ...]:
    """Return the persons' edges if the seed draws them."""
    return EDGES if HAS_BUSINESS and Random(f"business {seed}").random() < OFTEN else ()


def process_of(edge: str) -> str:
    """Return the name of the process that answers for the account of an edge."""
    return PROCESS if edge in EDGES else edge
