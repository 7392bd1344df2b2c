"""Every error lanline raises, and the one status enum that travels on links.

Rules of this file: it imports nothing of lanline but the translation of advice; an error carries plain values (text,
numbers), never live objects; `str(error)` is one sentence with numbers and units; the class docstring is what the
command line shows below that sentence, from its `Try:` line on. Foreign exceptions become one of these at one boundary
per layer (`OSError` in `transport/`, `ssl.SSLError` in `transport/`, msgspec's errors in `session/` and `link/`).

The tree::

    LanlineError
      UsageError (ValueError)            the caller's own words are wrong
        AddressError                     the text is not an address
        TargetError                      the text selects nobody, or nobody known
        TextNotBytes (TypeError)         text was given where a message, which is bytes, belongs
      ProtocolError
        LocalProtocolError               this side called in the wrong state
        RemoteProtocolError              the peer sent what the protocol does not allow
          MessageTooLarge                a message is over its limit
          EndedInMessage                 the stream ended in the middle of a message
          DatagramTruncated              a datagram was longer than what was set aside for it
      TransportError
        ConnectFailed                    no connection came about
        ListenFailed                     an address cannot be served
      ChannelError
        ChannelClosed                    closed by this side
        ChannelEnded                     closed by the peer, cleanly
        ChannelBroken                    neither side closed: the network, the kernel or the peer's crash did
          ChannelReset                   the peer's system cut the connection: the program there is gone
          PipeBroken                     sent to a peer that had closed before
          PeerSilent                     nothing that was sent has been confirmed: a pulled cable, a dead machine
        DatagramRefused                  the peer's system says that nobody listens at that port
        BufferFull                       the peer takes nothing now, and waiting was not wanted
        ShortSend (TimeoutError)         a message went out in part before the time was over
      CallError                          a call over a link did not end well
        CallTimeout (TimeoutError)       its deadline passed
        CallRefused                      the peer's rules do not allow it
        CallFailed                       anything else the peer reported
        CallLost                         the link went away before the answer came
      FileError                          a file beneath a held folder could not be had, made or removed
        NameRefused                      a name that no file may be asked for or made by
        FileMissing                      nothing is there by that name
        FolderGone                       the held folder was moved, replaced or removed
        LeadsOutside                     a link leads out of the folder, or stands where no link is followed
        NoAccess                         the system does not let this user do it
        NotAFile                         a pipe, socket or device, or a file where a folder is wanted
        ParentMissing                    the folder to write into is not there
        TakenAlready                     the name is in use, and nothing is replaced
        NotEmpty                         a folder that holds something is not removed
        DiskFull                         no room is left, or this user's share of it is used up
        FileChanged                      a file became shorter while it was read
      RoomError
        NotInRoom                        this machine is in no room
        InRoomAlready                    this machine is in a room, and was to found or join one
        NodeNotRunning                   no node answers on the local socket
        NodeAlreadyRunning               another node holds the state folder
        StateUnsafe                      a state file others can read or write
        StateDamaged                     a state file is not what was written
        StateNotSaved                    a state file could not be written
        AuthorityLocked                  the room's authority key needs its passphrase
        JoinFailed                       the door did not let this machine in
        NotAllowed                       this member's role does not reach that far
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import ClassVar

from lanline.translation import _

_ADVICE = re.compile(r"^\s*Try:(.*?)(?:\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)
"""In the docstring of a class: from `Try:` at the beginning of a line to the end of its paragraph."""


class Status(IntEnum):
    """How a call ended. The numbers are on the wire and never change."""

    OK = 0
    CANCELLED = 1
    DEADLINE = 2
    NOT_FOUND = 3
    REFUSED = 4
    TOO_LARGE = 5
    OVERLOADED = 6
    UNAVAILABLE = 7
    PEER_GONE = 8
    BAD_MESSAGE = 9
    INTERNAL = 10


class LanlineError(Exception):
    """Something lanline could not do.

    Args:
        message: one sentence, with numbers and units.
        advice: what to try next; where it is not given, the `Try:` line of the class docstring.
    """

    exit_code: ClassVar[int] = 1
    """What the command line exits with when this error ends it."""

    def __init__(self, message: str, *, advice: str | None = None) -> None:
        super().__init__(message)
        self._advice = advice

    @property
    def advice(self) -> str:
        """What to try next, one or two sentences; empty where there is nothing to try."""
        return _(advice_of(type(self))) if self._advice is None else self._advice


def advice_of(kind: type[LanlineError]) -> str:
    """The `Try:` paragraph of a class, in one line; empty where it has none."""
    found = _ADVICE.search(kind.__doc__ or "")
    return " ".join(found.group(1).split()) if found else ""


class UsageError(LanlineError, ValueError):
    """What was asked for makes no sense as written."""

    exit_code = 2


class AddressError(UsageError):
    """The text is not an address.

    Try: tcp://192.168.1.7:9000, udp://192.168.1.7:9529, tls://desk.example:9000, unix:///tmp/x.sock or mem://name."""


class TargetError(UsageError):
    """The target selects no member of this room.

    Try: lanline who, which lists the names; pc[1-40], @all, @others and @online select several."""


class TextNotBytes(UsageError, TypeError):
    """A message is bytes, and this is text.

    Try: text.encode(), which turns text into UTF-8 bytes; on the other side message.decode() turns them back.

    See docs/howto/trap-text-not-bytes.md.
    """

    def __init__(self) -> None:
        super().__init__(_("a message is bytes, not str: write text.encode() to turn text into bytes"))


class ProtocolError(LanlineError):
    """The rules of a protocol were broken."""


class LocalProtocolError(ProtocolError):
    """This side used an object in a state that does not allow it: a mistake in the calling code."""


class RemoteProtocolError(ProtocolError):
    """The peer sent what the protocol does not allow.

    Try: check that the peer speaks the same framing, and a version of lanline that fits this one."""


class MessageTooLarge(RemoteProtocolError):
    """A message is over the limit set for it.

    Try: raise max_message_bytes on the receiving side, or send smaller messages.

    See docs/howto/trap-message-over-the-limit.md.

    Args:
        size_bytes: size of the message as far as it is known.
        limit_bytes: the limit in force.
        what: what is too large, as a noun; empty for a message.
        advice: as for every error.
    """

    def __init__(self, size_bytes: int, limit_bytes: int, what: str = "", *, advice: str | None = None) -> None:
        text = _("{what} of {size_bytes} bytes, limit {limit_bytes} bytes").format(
            what=what or _("message"), size_bytes=size_bytes, limit_bytes=limit_bytes
        )
        super().__init__(text, advice=advice)
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class EndedInMessage(RemoteProtocolError):
    """The stream ended in the middle of a message.

    Try: look at the sender: it closed, or crashed, before its message was whole.

    See docs/howto/trap-end-in-message.md.

    Args:
        kept_bytes: how much of the unfinished message had arrived.
    """

    def __init__(self, kept_bytes: int) -> None:
        text = _("the stream ended in the middle of a message, after {kept_bytes} bytes of it")
        super().__init__(text.format(kept_bytes=kept_bytes))
        self.kept_bytes = kept_bytes


class DatagramTruncated(RemoteProtocolError):
    """A datagram was longer than what was set aside for it: the rest of it is lost.

    Try: raise max_datagram_bytes on the receiving side, or send smaller datagrams: 1,200 bytes pass everywhere.

    See docs/howto/trap-truncated-datagram.md.

    Args:
        limit_bytes: how much was set aside.
        sender: the address it came from, as text.
    """

    def __init__(self, limit_bytes: int, sender: str) -> None:
        text = _("a datagram from {sender} was longer than {limit_bytes} bytes, the limit here")
        super().__init__(text.format(sender=sender, limit_bytes=limit_bytes))
        self.limit_bytes = limit_bytes
        self.sender = sender


class TransportError(LanlineError):
    """A socket could not be made to do its work."""


class ConnectFailed(TransportError):
    """No connection came about.

    Try: start the server first, check the address and the port, and look for a firewall in between."""


class ListenFailed(TransportError):
    """The address cannot be served.

    Try: another port, or port 0 for any free one."""


class ChannelError(LanlineError):
    """A channel or link can no longer be used."""


class ChannelClosed(ChannelError):
    """This side closed it already.

    See docs/howto/trap-use-after-close.md.
    """


class ChannelEnded(ChannelError):
    """The peer closed it, cleanly: nothing was lost.

    See docs/howto/trap-other-side-closed.md.
    """


class ChannelBroken(ChannelError):
    """The connection broke: neither side closed it.

    Try: check the cable, the power and the far program; what was under way may not have arrived."""


class ChannelReset(ChannelBroken):
    """The peer's system cut the connection (ECONNRESET): the program there ended or crashed with bytes unread.

    Try: look at the far program; what was under way may not have arrived.

    See docs/howto/trap-reset.md.
    """


class PipeBroken(ChannelBroken):
    """This side sent to a peer that had closed before (EPIPE).

    Try: receive until the peer ends before sending more; it may have said why it closes.

    See docs/howto/trap-broken-pipe.md.
    """


class PeerSilent(ChannelBroken):
    """The peer's system no longer confirms what it is sent (ETIMEDOUT): a pulled cable, a machine without power.

    Try: check the cable, the power and the network in between; what was under way may not have arrived.

    See docs/howto/trap-pulled-cable.md.
    """


class DatagramRefused(ChannelError):
    """The peer's system says that nobody listens at that port (ICMP port unreachable). The socket can still be used.

    Try: start the far program first, and check the port.

    See docs/howto/trap-refused-datagram.md.
    """


class BufferFull(ChannelError):
    """The peer takes nothing now, the buffers in between are full, and waiting was not wanted.

    Try: send, which waits for room, or give the peer time; nothing of this message was sent.

    See docs/howto/trap-full-buffer.md.
    """


class ShortSend(ChannelError, TimeoutError):
    """A message went out in part before the time was over. The rest is kept and goes first when more is sent.

    Try: a longer timeout, or look at why the peer does not read.

    See docs/howto/trap-short-send.md.

    Args:
        sent_bytes: how much of the message the system took.
        size_bytes: size of the whole message, its framing included.
    """

    def __init__(self, sent_bytes: int, size_bytes: int) -> None:
        text = _("{sent_bytes} of {size_bytes} bytes were sent before the time was over")
        super().__init__(text.format(sent_bytes=sent_bytes, size_bytes=size_bytes))
        self.sent_bytes = sent_bytes
        self.size_bytes = size_bytes


class CallError(LanlineError):
    """A call over a link did not end well.

    Args:
        status: one of `Status`, never OK.
        text: the peer's sentence. Hostile until cleaned: pass it through `lanline.clean_text` before a terminal.
        may_have_run: False only when it is certain that the peer did not begin to execute the request.
        details: machine-readable values the peer added. lanline's own are `error`, the name of the class that was
            raised there, and `advice`; both are as hostile as the text.
    """

    def __init__(
        self,
        status: Status,
        text: str,
        *,
        may_have_run: bool = True,
        details: dict[str, str] | None = None,
    ) -> None:
        super().__init__(text or status.name.lower().replace("_", " "))
        self.status = status
        self.text = text
        self.may_have_run = may_have_run
        self.details = details or {}

    @property
    def advice(self) -> str:
        """What the far side would try next; else as for every error."""
        return self.details.get("advice") or super().advice


class CallTimeout(CallError, TimeoutError):
    """The deadline passed before the answer came.

    Try: a longer timeout, or ask whether the peer is overloaded."""


class CallRefused(CallError):
    """The peer's rules do not allow this call.

    Try: ask an owner for another role: lanline members role NAME ROLE, on the hub."""

    exit_code = 4


class CallFailed(CallError):
    """The peer could not answer, for the reason it gave."""


class CallLost(CallError):
    """The link went away before the answer came.

    Try: again, if the request may safely be executed twice."""


_CALL_ERRORS: dict[Status, type[CallError]] = {
    Status.DEADLINE: CallTimeout,
    Status.REFUSED: CallRefused,
    Status.PEER_GONE: CallLost,
}


def call_error(
    status: Status, text: str, *, may_have_run: bool = True, details: dict[str, str] | None = None
) -> CallError:
    """The error class that belongs to a status, made with these values."""
    kind = _CALL_ERRORS.get(status, CallFailed)
    return kind(status, text, may_have_run=may_have_run, details=details)


class FileError(LanlineError):
    """A file beneath a held folder could not be had, made or removed. This class: the system failed, and says how.

    Try: again in a while; dmesg and ulimit -n show whether the disk is failing or too many files are open."""


class NameRefused(FileError):
    """No file may be asked for or made by this name: `..`, a separator, a device of Windows and the like.

    Try: another name: letters and digits of any language, spaces, dots, - and _ pass on every system."""


class FileMissing(FileError):
    """Nothing is there by that name.

    Try: list the folder it should be in; it may have been moved or renamed."""


class FolderGone(FileError):
    """The folder was moved, replaced or removed since it was taken hold of. What stands in its place is not touched.

    Try: put it back, or start again with the folder that is meant."""

    exit_code = 2


class LeadsOutside(FileError):
    """A link leads out of the folder, or stands in the way of writing, which goes through no link.

    Try: --follow, if what the link leads to may be read by everybody; for writing, the folder that it leads to."""


class NoAccess(FileError):
    """The system does not let this user do it.

    Try: ls -l, which shows who may; or start lanline as the user that the files belong to."""


class NotAFile(FileError):
    """What is there is of another kind: a pipe, a socket or a device, or a file where a folder is wanted.

    Try: ls -l, whose first letter says what it is; only files and folders are read and written."""


class ParentMissing(FileError):
    """The folder to write into is not there.

    Try: make the folder first."""


class TakenAlready(FileError):
    """The name is in use, and nothing is replaced unless that was allowed.

    Try: another name, or --overwrite if files may be replaced; a folder is never replaced."""


class NotEmpty(FileError):
    """A folder that holds something is not removed.

    Try: remove what is in it first; ls -a shows what a listing leaves out."""


class DiskFull(FileError):
    """No room is left on the disk, or this user's share of it is used up.

    Try: df -h and quota, which show what is left; free some space and try again."""


class FileChanged(FileError):
    """A file became shorter while it was read: what was sent of it is neither the old one nor the new one.

    Try: again, once the program that writes it is done."""


class RoomError(LanlineError):
    """Something about the room this machine is in, or is not in."""


class NotInRoom(RoomError):
    """This machine is in no room.

    Try: lanline init to found a room, or lanline join ADDRESS with a code from the hub."""

    exit_code = 2


class InRoomAlready(RoomError):
    """This machine is in a room already.

    Try: lanline up to start its node, lanline leave to take it out, or --home for another folder."""

    exit_code = 2


class NodeNotRunning(RoomError):
    """No node is running on this machine.

    Try: lanline up --detach"""

    exit_code = 2


class NodeAlreadyRunning(RoomError):
    """A node is already running with this state folder.

    Try: lanline status to see it, lanline down to stop it, or --home for another folder."""

    exit_code = 2


class StateUnsafe(RoomError):
    """A state file can be read or changed by others, or is not what it should be."""

    exit_code = 3


class StateDamaged(RoomError):
    """A state file is not what was written: nothing was opened on its word."""

    exit_code = 3


class StateNotSaved(RoomError):
    """A state file could not be written; what was there before is untouched.

    Try: df -h and mount, which show whether the disk is full or read-only; free some space and try again."""

    exit_code = 3


class AuthorityLocked(RoomError):
    """The room's authority key is locked.

    Try: lanline unlock on the hub, or start it with --passphrase-file."""

    exit_code = 4


class JoinFailed(RoomError):
    """The door did not let this machine in.

    Try: ask for a fresh code (lanline invite on the hub) and type it again."""

    exit_code = 4


class NotAllowed(RoomError):
    """This member's role does not reach that far.

    Try: ask an owner: lanline members role NAME ROLE, on the hub."""

    exit_code = 4
