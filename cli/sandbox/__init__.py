"""A Telegram for this machine alone, with a chat in the terminal: `timokha sandbox`."""
