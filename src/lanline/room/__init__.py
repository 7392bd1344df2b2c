"""Layer 5: one machine in a room. Identity, roster, door, policy, audit, presence, and the node."""
