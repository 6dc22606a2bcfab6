"""The brokers that host a generate function: a module for each row of `functions.generate.registry.TRIGGERS`."""
