"""Layer 4: where sockets and protocols meet. Channels of messages, links of calls, their blocking twin."""
