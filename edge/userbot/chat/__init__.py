"""What a chat holds and what follows from it, purely: the record, its transitions, the next steps, a request."""
