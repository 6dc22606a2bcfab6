"""Telegram through pyrogram: the session, calls with our own errors, messages, and updates."""
