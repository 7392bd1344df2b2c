"""Layer 1, pure: a stream of bytes cut into messages, and back. Knows nothing of sockets."""
