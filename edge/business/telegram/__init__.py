"""What the business edge does on Telegram, on kurigram."""
