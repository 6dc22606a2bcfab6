"""Stateless functions, event in, event out, and the worker that hosts them."""
