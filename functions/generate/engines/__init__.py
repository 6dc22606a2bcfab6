"""Language models, a vendor a file."""
