"""Layer 7: what people see. Command words, terminal output and the composition root of a node."""
