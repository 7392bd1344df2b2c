"""The public test kit: rooms in memory under virtual time, rooms on real sockets, faulty networks."""
