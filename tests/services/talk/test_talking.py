"""Claims about the pieces put together: listening, connecting, trying again. Typists and consoles of the real kind."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from pathlib import Path

import pytest
from tests.ui.recording import Recording

from lanline.address import Address
from lanline.console import Painted
from lanline.errors import ConnectFailed
from lanline.framing.raw import Raw
from lanline.services.talk.talking import Settings, have_talk


def settings(address: str, *, reading: int | None = None, **more: bool | float) -> Settings:
    values = {"listens": False, "keeps_on": False, "retry": 0.0, **more}
    return Settings(
        Address.parse(address),
        Raw(),
        "auto",
        listens=bool(values["listens"]),
        keeps_on=bool(values["keeps_on"]),
        retry=float(values["retry"]),
        input=reading,
    )


def test_two_talks_with_each_other_over_a_unix_socket(home: Path) -> None:
    async def main() -> tuple[Recording, Recording]:
        address = f"unix://{home}/s"
        listening, connecting = os.pipe(), os.pipe()
        one, two = Recording(), Recording()
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            waiting = group.create_task(have_talk(settings(address, reading=listening[0], listens=True), one))
            calling = group.create_task(have_talk(settings(address, reading=connecting[0], retry=10.0), two))
            os.write(listening[1], "从这里\n".encode())
            os.write(connecting[1], b"from there\nq\n")
            assert (await waiting, await calling) == (0, 0)
        for descriptor in (*listening, *connecting):
            os.close(descriptor)
        return one, two

    one, two = asyncio.run(main())
    assert one.out == "from there\n"
    assert "mode 0600: this user and root may connect" in one.err and "has ended the talk" in one.err
    assert "you have ended the talk" in two.err


def test_where_nobody_listens_the_advice_says_how_to_wait() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(ConnectFailed, match="nothing listens") as failed:
        asyncio.run(have_talk(settings(address), Recording()))
    assert failed.value.advice == "start the server first, or say --retry 30 to keep trying for 30 s."


def test_what_the_library_warns_of_is_a_note() -> None:
    class Warned(Recording):
        def note(self, *parts: str | Painted) -> None:
            super().note(*parts)
            if "trying again" in self.err and "log" not in self.err:
                logging.getLogger("lanline.link").warning("from the %s", "log")

    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    console = Warned()
    with pytest.raises(ConnectFailed):
        asyncio.run(have_talk(settings(address, retry=0.2), console))
    assert "from the log\n" in console.err
    assert not logging.getLogger("lanline").handlers


def test_trying_again_is_said_once_and_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    console = Recording()
    with pytest.raises(ConnectFailed):
        asyncio.run(have_talk(settings(address, retry=0.5), console))
    assert console.err.count("trying again for 0.5 s") == 1
