"""One module per verb of `particle-mp`."""
