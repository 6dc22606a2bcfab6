"""Write a model directory for the OpenVINO engine: from a GGUF file without torch, from anything else with it."""
