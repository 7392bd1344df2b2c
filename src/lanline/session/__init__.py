"""Layer 2, pure: many calls over one connection. Bytes and `now` go in; bytes and events come out."""
