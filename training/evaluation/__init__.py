"""Measure what a training changed: `timokha train evaluate`. `command.py` is where to begin."""
