"""The public test kit: `clock` (virtual time), `room` (rooms of many nodes, over sockets or in memory), `memorywire` (a
network in memory, with latency and partitions), `proxy` (a TCP proxy that does what bad networks do), `datagramproxy`
(the same for UDP)."""
