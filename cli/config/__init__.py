"""Which names can be set, what is set now, and by what: the checks before every command, and `timokha config`."""
