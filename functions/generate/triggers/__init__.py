"""Where a generate function gets its requests: a module for each of `functions.generate.registry.TRIGGERS`."""
