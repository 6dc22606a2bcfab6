"""Traces, metrics and logs: one trace per question, and never a message's text unless asked for."""
