"""How a process runs: its clock, how it tries again, how it is stopped."""
