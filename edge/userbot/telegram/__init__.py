"""Telegram through pyrogram: calls that fail in our words, messages out, and every update in."""
