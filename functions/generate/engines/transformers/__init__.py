"""Models on transformers: `engine.py` is where to begin."""
