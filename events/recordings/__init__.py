"""Recordings: events of the streams as JSON Lines, to read, share and replay."""
