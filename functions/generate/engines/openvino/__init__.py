"""Models on OpenVINO: `engine.py` is where to begin. The model runs in a process of its own."""
