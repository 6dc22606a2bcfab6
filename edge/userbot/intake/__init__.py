"""Everything that happens to the account, live or fetched after a gap, into the chat records, once and in order."""
