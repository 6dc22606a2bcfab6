"""Markdown of an answer as Telegram's formatting."""
