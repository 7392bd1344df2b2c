"""Layer 3, the only folder that opens sockets: moves bytes, knows nothing of messages."""
