"""What the userbot says by itself: a catalogue of lines for each language, in the syntax of Project Fluent."""
