"""From a chat export to dialogues: `timokha train prepare`. `command.py` is where to begin."""
