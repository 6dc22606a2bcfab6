"""Train a model on prepared dialogues: `timokha train fit`. `command.py` is where to begin."""
