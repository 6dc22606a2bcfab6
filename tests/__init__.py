"""A package, so that no `tests` of an installed distribution comes before it where a program imports from here."""
