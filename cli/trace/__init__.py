"""`timokha trace`: a question's trace in the terminal, for people without Jaeger."""
