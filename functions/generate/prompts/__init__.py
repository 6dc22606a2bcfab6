"""From turns to the token ids of a prompt: formats, chat templates, near examples, encoding."""
