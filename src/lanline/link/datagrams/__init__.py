"""Channels, sockets and shouts over datagrams, under asyncio."""
