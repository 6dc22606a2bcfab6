"""Stateless functions, event in, event out, and the worker loop that hosts them."""
