"""Any server that speaks OpenAI's API as an engine: `engine.py` is where to begin."""
