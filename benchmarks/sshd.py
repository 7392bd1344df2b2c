"""OpenSSH as the peer: servers of our own on high ports of 127.x.x.x, with keys of their own and no rc files.

Everything lies in a folder that is removed at the end; servers are ended by their process id. The user's own
configuration and keys are not read. A server listens on at most 16 addresses, so many addresses take several.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

PORT = 22_722
CIPHER = "aes128-gcm@openssh.com"
_ADDRESSES_EACH = 16  # MAX_LISTEN_SOCKS of sshd


class Peer(NamedTuple):
    """Running servers.

    Args:
        config: of clients: user, port, key, cipher. Use it as `ssh -F`.
        key: the private key that opens them.
        folder: for control sockets and the like.
    """

    config: Path
    key: Path
    folder: Path

    def ssh(self, *words: str) -> list[str]:
        """The words of one ssh command."""
        return ["ssh", "-F", str(self.config), *words]


@contextmanager
def sshd(addresses: Sequence[str] = ("127.0.0.1",)) -> Iterator[Peer]:
    """Servers on these addresses while it is open.

    Raises:
        SystemExit: there is no sshd here, or it does not start.
    """
    program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if program is None:
        raise SystemExit("this figure needs its peer: install openssh-server")
    folder = Path(tempfile.mkdtemp(prefix="llsshd"))
    servers: list[subprocess.Popen[bytes]] = []
    try:
        peer = _configure(folder)
        Path("/run/sshd").mkdir(exist_ok=True)  # where Debian's sshd wants to be rooted before a login
        servers += (
            _start(program, folder, start, addresses[start : start + _ADDRESSES_EACH])
            for start in range(0, len(addresses), _ADDRESSES_EACH)
        )
        yield peer
    finally:
        for server in servers:
            server.terminate()
            server.wait(10)
            assert server.stderr is not None
            server.stderr.close()
        shutil.rmtree(folder, ignore_errors=True)


def _configure(folder: Path) -> Peer:
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    shutil.copy(folder / "user.pub", folder / "authorized")
    config = folder / "client"
    config.write_text(
        f"Port {PORT}\nUser {os.environ.get('USER') or 'root'}\nIdentityFile {folder}/user\nIdentitiesOnly yes\n"
        f"Ciphers {CIPHER}\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n"
        "GSSAPIAuthentication no\nPreferredAuthentications publickey\nBatchMode yes\n"
    )
    return Peer(config, folder / "user", folder)


def _start(program: str, folder: Path, number: int, addresses: Sequence[str]) -> subprocess.Popen[bytes]:
    config = folder / f"server{number}"
    listens = "".join(f"ListenAddress {address}\n" for address in addresses)
    config.write_text(
        f"Port {PORT}\n{listens}HostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\nStrictModes no\n"
        "UsePAM no\nPidFile none\nPermitRootLogin yes\nMaxStartups 1000\nMaxSessions 1000\nUseDNS no\nPrintMotd no\n"
        f"SetEnv HOME={folder}/nobody\nPermitUserRC no\n"  # no rc file of this user in the figures
    )
    server = subprocess.Popen([program, "-D", "-e", "-f", str(config)], stderr=subprocess.PIPE)
    assert server.stderr is not None
    said, deadline = b"", time.monotonic() + 10
    while said.count(b"listening on") < len(addresses):
        ready, _, _ = select.select([server.stderr], [], [], max(0.0, deadline - time.monotonic()))
        data = os.read(server.stderr.fileno(), 4096) if ready else b""
        if not data:
            raise SystemExit(f"sshd does not start: {said.decode(errors='replace')}")
        said += data
    return server
