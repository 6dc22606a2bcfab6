"""Which model is served: where it comes from, how it is prepared, and where its copies are kept."""
