"""Language models, a package for each vendor; what they share lies beside them."""
