"""How a process says whether it lives and whether it answers: a small file, for `timokha health`."""
