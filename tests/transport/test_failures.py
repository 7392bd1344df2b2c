"""The sentences: each names the address, says what happened and what to do."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import subprocess
import sys

import pytest

from lanline.address import Address
from lanline.transport.failures import tls_words, translate_connect, translate_listen, translate_loss

PC7 = Address.parse("tcp://pc7:9000")
SOCKET = Address.parse("unix:///run/x.sock")


def _system(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("address", "number", "sentence", "advice"),
    [
        (PC7, errno.ECONNREFUSED, "nothing listens at tcp://pc7:9000", "start the server first"),
        (SOCKET, errno.ENOENT, "nothing listens at unix:///run/x.sock", "start the server first"),
        (SOCKET, errno.ECONNREFUSED, "nothing listens at unix:///run/x.sock", "start the server first"),
        (PC7, errno.EHOSTUNREACH, "tcp://pc7:9000 cannot be reached: no machine answers", "machine is on"),
        (PC7, errno.ENETUNREACH, "no route to that network", "cable"),
        (PC7, errno.ETIMEDOUT, "tcp://pc7:9000 did not answer", "firewall"),
        (PC7, errno.ECONNRESET, "closed the connection before it was ready", "log of the other side"),
        (PC7, errno.EACCES, "does not allow a connection to tcp://pc7:9000", "firewall"),
        (Address("udp", "10.0.0.255", 9), errno.EACCES, "udp://10.0.0.255:9 is not one machine", "shout --plain"),
        (SOCKET, errno.EACCES, "this user may not connect to unix:///run/x.sock", "same user"),
        (SOCKET, errno.EAGAIN, "too busy", "listen queue is full"),
        (PC7, errno.EMFILE, "no file descriptor left", "ulimit -n"),
        (PC7, errno.EADDRNOTAVAIL, "no local address is left", "local address"),
    ],
)
def test_a_failed_connection_says_what_to_do(address: Address, number: int, sentence: str, advice: str) -> None:
    failure = translate_connect(address, _system(number))
    assert sentence in str(failure)
    assert advice in failure.advice


def test_a_number_without_a_sentence_keeps_the_words_of_the_system() -> None:
    failure = translate_connect(PC7, _system(errno.EPROTO))
    assert str(failure) == "no connection to tcp://pc7:9000: Protocol error"
    assert failure.advice.startswith("start the server first")


def test_our_own_timeout_is_named_in_seconds() -> None:
    assert str(translate_connect(PC7, TimeoutError(), timeout=2.5)) == "no answer from tcp://pc7:9000 within 2.5 s"
    assert str(translate_connect(PC7, TimeoutError())) == "no answer from tcp://pc7:9000 in time"
    in_tls = translate_connect(PC7, TimeoutError(), timeout=5.0, during="handshake")
    assert "did not finish the TLS handshake within 5 s" in str(in_tls)


def test_a_name_that_does_not_resolve_is_told_from_a_silent_name_server() -> None:
    unknown = translate_connect(PC7, socket.gaierror(socket.EAI_NONAME, "x"))
    assert str(unknown) == "the name 'pc7' does not resolve to an address"
    silent = translate_connect(PC7, socket.gaierror(socket.EAI_AGAIN, "x"))
    assert str(silent) == "the name 'pc7' could not be resolved: no name server answers"
    assert "IP address" in unknown.advice
    assert "IP address" in silent.advice


def _ssl_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] words (_ssl.c:1006)")
    error.reason, error.library = reason, "SSL"
    return error


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("WRONG_VERSION_NUMBER", "tcp://pc7:9000 does not speak TLS"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "refused the connection: TLS alert: certificate required"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "refused the connection: TLS alert: protocol version"),
        ("NO_SHARED_CIPHER", "no TLS connection to tcp://pc7:9000: no shared cipher"),
    ],
)
def test_tls_failures_are_told_apart(reason: str, sentence: str) -> None:
    assert sentence in str(translate_connect(PC7, _ssl_error(reason)))


def test_a_peer_that_hangs_up_during_the_handshake_is_told_from_one_before() -> None:
    failure = translate_connect(PC7, ConnectionResetError(), during="handshake")
    assert str(failure) == "tcp://pc7:9000 closed the connection during the TLS handshake"
    assert "certificate" in failure.advice


def test_a_certificate_that_is_not_accepted_says_why() -> None:
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_code, error.verify_message = 62, "Hostname mismatch, certificate is not valid for 'pc7'."
    failure = translate_connect(PC7, error)
    assert str(failure) == "tcp://pc7:9000 is not trusted: Hostname mismatch, certificate is not valid for 'pc7'"
    assert "another machine" in failure.advice
    error.verify_code, error.verify_message = 999, "something new"
    assert "check which certificate" in translate_connect(PC7, error).advice


@pytest.mark.parametrize(
    ("address", "number", "sentence", "advice"),
    [
        ("tcp://10.9.9.9:80", errno.EADDRNOTAVAIL, "no interface of this machine has that address", "ip addr"),
        ("tcp://*:80", errno.EACCES, "ports below 1024 need root", "from 1024 up"),
        ("unix:///nowhere/x", errno.ENOENT, "its folder does not exist", "mkdir"),
        ("unix:///etc/passwd/x", errno.ENOTDIR, "part of its path is a file", "inside a folder"),
        ("unix:///etc/x", errno.EACCES, "permission denied", "XDG_RUNTIME_DIR"),
        ("unix:///tmp/x", errno.EADDRINUSE, "another server listens there", "another path"),
        ("unix:///tmp/x", errno.ENAMETOOLONG, "too long for a socket", "shorter"),
        ("tcp://*:9000", errno.EPROTO, "cannot be served: Protocol error", "port 0"),
    ],
)
def test_an_address_that_cannot_be_served_says_what_to_do(
    address: str, number: int, sentence: str, advice: str
) -> None:
    failure = translate_listen(Address.parse(address), _system(number))
    assert address in str(failure)
    assert sentence in str(failure)
    assert advice in failure.advice


def test_a_name_to_listen_on_that_does_not_resolve_is_named() -> None:
    failure = translate_listen(PC7, socket.gaierror(socket.EAI_NONAME, "x"))
    assert "the name 'pc7' does not resolve" in str(failure)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (None, "the connection with pc7 was cut off"),
        (ConnectionResetError(), "the connection with pc7 was reset"),
        (_system(errno.ETIMEDOUT), "pc7 no longer answers: nothing it was sent has been confirmed"),
        (_ssl_error("TLSV1_ALERT_UNKNOWN_CA"), "pc7 ended the connection: TLS alert: unknown ca"),
        (_system(errno.EPIPE), "pc7 had closed the connection before it was sent more"),
        (_system(errno.EHOSTUNREACH), "pc7 no longer answers: No route to host"),
        (ValueError(), "the connection with pc7 broke: ValueError"),
    ],
)
def test_a_broken_connection_says_how_it_broke(error: Exception | None, sentence: str) -> None:
    assert str(translate_loss("pc7", error)) == sentence


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (_ssl_error("PEER_DID_NOT_RETURN_A_CERTIFICATE"), "peer did not return a certificate"),
        (_ssl_error("TLSV1_ALERT_UNKNOWN_CA"), "TLS alert: unknown ca"),
        (ConnectionAbortedError("SSL handshake is taking longer"), "handshake not finished in time"),
        (ConnectionResetError(), "the peer closed during the handshake"),
        (OSError(errno.EPROTO, "Protocol error"), "Protocol error"),
    ],
)
def test_a_failed_handshake_is_a_few_words_for_the_log(error: Exception, words: str) -> None:
    assert tls_words(error) == words


def test_a_number_without_a_sentence_is_told_in_the_readers_language_too() -> None:
    code = (
        "import errno, os\nfrom lanline.address import Address\n"
        "from lanline.transport.failures import translate_connect, translate_listen\n"
        "error = OSError(errno.EPROTO, 'Protocol error')\nwhere = Address.parse('tcp://pc7:9000')\n"
        "print(translate_connect(where, error), translate_listen(where, error))"
    )
    settings = {**os.environ, "LANGUAGE": "zh_CN", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([sys.executable, "-c", code], env=settings, capture_output=True, text=True, check=True)
    assert done.stdout.isascii() is False
    assert "no connection" not in done.stdout
    assert "cannot be served" not in done.stdout
    assert done.stdout.count("Protocol error") == 2
