"""A chat's record, its transitions, its next step and its requests: pure functions and values only."""
