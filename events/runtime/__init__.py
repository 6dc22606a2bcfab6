"""How a process runs: its clock, retries, tasks, signals and shutdown."""
