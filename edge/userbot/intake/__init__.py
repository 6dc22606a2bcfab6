"""Take the account's messages, live or fetched after a gap, into the chat records, once and in order."""
