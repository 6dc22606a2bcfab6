"""`timokha sandbox`: a Telegram for this machine alone, with a chat in the terminal."""
