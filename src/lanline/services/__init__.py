"""Layer 6: what a room offers. One folder per service; no service imports another."""
