"""Every file of examples/ is run, as a reader would run it."""
