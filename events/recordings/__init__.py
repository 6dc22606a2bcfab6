"""Recordings: events of the streams as JSON Lines, to be read, shared and replayed."""
