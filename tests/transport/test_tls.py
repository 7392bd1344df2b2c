"""Who gets through the handshake of a room, and who does not."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import pytest

from lanline.address import Address
from lanline.errors import ConnectFailed, UsageError
from lanline.transport import tcp, tls
from lanline.transport.base import Listener, connection_facts

from .certificates import HUB, NODE, Room
from .conftest import Run
from .floods import until
from .recorder import Recorder


async def _room_port(room: Room) -> Listener:
    return await tcp.listen(Address("tcp", "127.0.0.1"), Recorder, tls=room.accepting())


def _other_authority(room: Room) -> ssl.SSLContext:
    """A client that believes the room, and shows a certificate of another authority."""
    who = room.stranger
    return tls.client_context(room.authority.file, certificate_file=who.certificate_file, key_file=who.key_file)


def _no_certificate(room: Room) -> ssl.SSLContext:
    return tls.client_context(room.authority.file)


def _old_tls(room: Room) -> ssl.SSLContext:
    who = room.node
    context = tls.client_context(room.authority.file, certificate_file=who.certificate_file, key_file=who.key_file)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


@pytest.mark.parametrize("make", [_other_authority, _no_certificate, _old_tls])
def test_a_stranger_never_reaches_the_protocol(
    run: Run[Any], room: Room, make: Callable[[Room], ssl.SSLContext], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        server = Recorder()
        listener = await tcp.listen(Address("tcp", "127.0.0.1"), lambda arrival: server, tls=room.accepting())
        client = Recorder()
        try:
            await tcp.connect(listener.addresses[0], lambda: client, tls=make(room), server_name=HUB, timeout=15)
            # In TLS 1.3 the client's handshake ends before it is judged: it learns of it by the end.
            await client.until_event("lost")
        except ConnectFailed as failure:
            assert "TLS" in str(failure)
        await until(listener, failed_handshakes=1, connections=0)
        assert server.events == []
        await listener.close()

    run(main())
    assert [record.name for record in caplog.records] == ["lanline.transport"]


def test_a_member_gets_in_and_both_know_whom_they_speak_with(run: Run[Any], room: Room) -> None:
    async def main() -> None:
        server, client = Recorder(), Recorder()
        listener = await tcp.listen(Address("tcp", "127.0.0.1"), lambda arrival: server, tls=room.accepting())
        await tcp.connect(listener.addresses[0], lambda: client, tls=room.connecting(), server_name=HUB, timeout=15)
        await server.until_event("made")
        assert connection_facts(server.transport).certificate == room.node.der
        assert connection_facts(client.transport).certificate == room.hub.der
        assert server.transport.get_extra_info("ssl_object").version() == "TLSv1.3"
        assert server.transport.get_extra_info("ssl_object").compression() is None
        await client.end()
        await server.end()
        await listener.close()

    run(main())


def test_a_server_with_another_name_is_refused(run: Run[Any], room: Room) -> None:
    async def main() -> None:
        listener = await _room_port(room)
        for name in (NODE, None):
            with pytest.raises(ConnectFailed, match=r"is not trusted: .* mismatch"):
                await tcp.connect(listener.addresses[0], Recorder, tls=room.connecting(), server_name=name, timeout=15)
        await listener.close()

    run(main())


def test_a_server_of_another_authority_is_refused(run: Run[Any], room: Room) -> None:
    async def main() -> None:
        listener = await tcp.listen(Address("tcp", "127.0.0.1"), Recorder, tls=room.accepting(room.stranger))
        with pytest.raises(ConnectFailed, match="is not trusted: unable to get local issuer certificate"):
            await tcp.connect(listener.addresses[0], Recorder, tls=room.connecting(), server_name=HUB, timeout=15)
        await listener.close()

    run(main())


def test_the_clock_keeps_nobody_out_of_a_room(run: Run[Any], room: Room) -> None:
    """An expired certificate is accepted on both sides: the roster judges, not the clock."""

    async def main() -> None:
        server, client = Recorder(), Recorder()
        accepting = room.accepting(room.expired)
        listener = await tcp.listen(Address("tcp", "127.0.0.1"), lambda arrival: server, tls=accepting)
        await tcp.connect(
            listener.addresses[0], lambda: client, tls=room.connecting(room.expired), server_name=NODE, timeout=15
        )
        await server.until_event("made")
        assert connection_facts(server.transport).certificate == room.expired.der
        await client.end()
        await server.end()
        await listener.close()

    run(main())


def test_plain_tls_does_look_at_the_clock(run: Run[Any], room: Room) -> None:
    async def main() -> None:
        context = tls.server_context(room.expired.certificate_file, room.expired.key_file)
        listener = await tls.listen(Address("tls", "127.0.0.1"), Recorder, tls=context)
        believing = tls.client_context(room.authority.file)
        with pytest.raises(ConnectFailed, match="certificate has expired"):
            await tls.connect(listener.addresses[0], Recorder, tls=believing, server_name=NODE, timeout=15)
        await listener.close()

    run(main())


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext, session: ssl.SSLSession | None) -> ssl.SSLSocket:
    """One connection over a socket pair, one byte each way, so that tickets, if any, have arrived."""
    here, there = socket.socketpair()

    def serve() -> None:
        with server.wrap_socket(there, server_side=True) as accepted:
            accepted.sendall(accepted.recv(1))
            accepted.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    connected = client.wrap_socket(here, server_hostname=HUB, session=session)
    connected.sendall(b"x")
    assert connected.recv(1) == b"x"
    connected.close()
    thread.join()
    return connected


def test_a_second_connection_with_the_first_ones_session_is_a_full_handshake(room: Room) -> None:
    server, client = room.accepting(), room.connecting()
    first = _handshake(server, client, None)
    session = first.session
    assert session is None or not session.has_ticket
    second = _handshake(server, client, session)
    assert second.session_reused is not True


def test_a_server_with_tickets_would_resume(room: Room) -> None:
    """Proves that the test above can fail: the same two contexts, but for the tickets."""
    server, client = room.accepting(), room.connecting()
    server.num_tickets = 2
    server.options &= ~ssl.OP_NO_TICKET
    client.options &= ~ssl.OP_NO_TICKET
    here, there = socket.socketpair()
    done = threading.Event()

    def serve() -> None:
        for end in (there, second_there):
            with server.wrap_socket(end, server_side=True) as accepted:
                accepted.sendall(accepted.recv(1))
                accepted.recv(1)
        done.set()

    second_here, second_there = socket.socketpair()
    thread = threading.Thread(target=serve)
    thread.start()
    with client.wrap_socket(here, server_hostname=HUB) as first:
        first.sendall(b"x")
        first.recv(1)
        session = first.session
    with client.wrap_socket(second_here, server_hostname=HUB, session=session) as second:
        second.sendall(b"x")
        second.recv(1)
        assert second.session_reused is True
    thread.join()
    assert done.is_set()


def test_a_port_that_speaks_no_tls_is_named_as_such(run: Run[Any], room: Room) -> None:
    class Greeter(Recorder):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.transport.write(b"220 hello\r\n")

    async def main() -> None:
        listener = await tcp.listen(Address("tcp", "127.0.0.1"), Greeter)
        with pytest.raises(ConnectFailed, match="does not speak TLS"):
            await tcp.connect(listener.addresses[0], Recorder, tls=room.connecting(), server_name=HUB, timeout=15)
        await listener.close()

    run(main())


def test_a_port_that_is_silent_in_the_handshake_is_named_as_such(run: Run[Any], room: Room) -> None:
    async def main() -> None:
        listener = await tcp.listen(Address("tcp", "127.0.0.1"), Recorder)
        with pytest.raises(ConnectFailed, match=r"did not finish the TLS handshake within 0\.05 s"):
            await tcp.connect(listener.addresses[0], Recorder, tls=room.connecting(), server_name=HUB, timeout=0.05)
        await listener.close()

    run(main())


def test_serving_tls_without_a_certificate_is_refused(run: Run[Any]) -> None:
    async def main() -> None:
        with pytest.raises(UsageError, match="without a certificate") as caught:
            await tls.listen(Address("tls", "127.0.0.1"), Recorder)
        assert "server_context" in caught.value.advice

    run(main())


def test_without_a_context_the_authorities_of_the_system_are_believed(run: Run[Any], room: Room) -> None:
    async def main() -> None:
        context = tls.server_context(room.hub.certificate_file, room.hub.key_file)
        listener = await tls.listen(Address("tls", "127.0.0.1"), Recorder, tls=context)
        with pytest.raises(ConnectFailed, match="is not trusted"):
            await tls.connect(listener.addresses[0], Recorder, timeout=15)
        await listener.close()

    run(main())


def test_a_plain_server_may_ask_its_clients_for_certificates(run: Run[Any], room: Room) -> None:
    async def main() -> None:
        hub, node = room.hub, room.node
        context = tls.server_context(hub.certificate_file, hub.key_file, authority_file=room.authority.file)
        server, client = Recorder(), Recorder()
        listener = await tls.listen(Address("tls", "127.0.0.1"), lambda arrival: server, tls=context)
        own = tls.client_context(room.authority.file, certificate_file=node.certificate_file, key_file=node.key_file)
        await tls.connect(listener.addresses[0], lambda: client, tls=own, server_name=HUB, timeout=15)
        await server.until_event("made")
        assert connection_facts(server.transport).certificate == node.der
        await client.end()
        await server.end()
        await listener.close()

    run(main())
