"""The shared language: what happened, how it is addressed, and how it travels."""
