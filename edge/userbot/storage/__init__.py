"""Where chat records, their index and the watermark are kept, changed only by compare-and-set."""
