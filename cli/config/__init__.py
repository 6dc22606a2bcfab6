"""Check the names and values of settings before every command, and show them: `timokha config`."""
