"""Layer 2, pure: many calls over one connection. Bytes and `now` go in; bytes, events and a deadline come out."""
