"""The kinds of lines of a history, by their subject.

All times are seconds of one clock. `account` is the kind of an edge, empty where all are concerned. Chats and request
ids are text, as in the product's events.
"""

USER, BOT, BUSINESS = EDGES = ("userbot", "bot", "business")
"""Kinds of edges, and of their processes."""
FOR_EVER = float("inf")
"""When something ends that has not ended."""
