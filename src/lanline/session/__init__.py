"""Layer 2, pure: many calls over one connection. Bytes and `now` go in; bytes, events, a deadline come out."""
