"""GGUF files, read without torch: header, weights, tokenizer."""
