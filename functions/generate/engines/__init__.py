"""Language models, a vendor a file or a package."""
