"""Stories of an edge that dies around anything it does to the world, in virtual time; told by tests/unit."""
