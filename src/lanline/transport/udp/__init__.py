"""UDP: sockets, the asyncio driver, refusals, broadcast and multicast."""
