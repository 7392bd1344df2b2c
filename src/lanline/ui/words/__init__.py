"""The words about the room and this machine in it, one file each; the words of services are in `services/*/words.py`.

A word is a function of its own name in the file of its name: `who.py` has `who(arguments, console, folder) -> int`,
which returns the exit code and raises LanlineError for what it could not do.
"""

from __future__ import annotations

WORDS: dict[str, str] = {
    "init": "found a room, with this machine as its hub",
    "join": "join a room with a code from its hub",
    "up": "start the node of this machine",
    "down": "stop it",
    "status": "how this machine's node is doing, and what it waits for",
    "leave": "take this machine out of its room",
    "who": "the machines of the room, and who of them is here",
    "invite": "make a code by which machines join",
    "members": "list members, remove one, give one another role",
    "backup": "put what a new hub would need into an encrypted file",
    "unlock": "open the hub's authority key after a restart",
    "audit": "what was done on this machine, and whether that record is whole",
    "serve": "serve echo, time or a handler of your own to any program that has a socket",
    "ask": "send one message to any address, print the answers, exit",
}
"""Each word with what it does, in the order in which people need them."""

GROUPS: dict[str, tuple[str, ...]] = {
    "this machine": ("init", "join", "up", "down", "status", "leave"),
    "the room": ("who", "invite", "members", "unlock", "backup", "audit"),
    "plain sockets, no room": ("serve", "ask", "talk", "shout", "share"),
}
"""How help shows them. A group may name words of services; words of services that no group names are a group of their
own."""
