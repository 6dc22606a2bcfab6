"""How much a number of users needs, what breaks first, how long they wait and what it costs: docs/scaling.md."""
