"""The generate function: a request event in, an answer event out, nothing kept in between."""
