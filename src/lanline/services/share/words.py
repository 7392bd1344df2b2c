"""The word `share`: `lanline share FOLDER`, `lanline share FILE`, `... | lanline share -`.

It needs no room and no node. It reads the options; what carries HTTP is loaded only once something is shared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lanline.arguments import WordParser, number, typed
from lanline.errors import UsageError
from lanline.services.share.owner.order import Order
from lanline.sizes import parse_size
from lanline.translation import _

if TYPE_CHECKING:
    from argparse import Namespace

    from lanline.console import Console
    from lanline.room.paths import StateFolder

_SUMMARY: Final = _(
    """\
Puts a folder, a file or standard input on the network for everybody with a browser, a phone or curl. Visitors need
nothing of lanline; this machine needs no room.

Until told otherwise this machine alone reaches it, visitors can only read, and names that begin with a dot are left
out. Each option opens one thing and no other. Folders go out as zip or tar too, downloads go on where they were cut,
and uploads from the page go on after a reload.

--lan serves every address of a private network (10.x, 172.16-31.x, 192.168.x, 169.254.x, fd.., fe80..) and shows a QR
code at a terminal; public addresses are left out, and said. A password goes over TLS, or with --insecure in the open.

Ctrl-C ends it: answers under way have 5 seconds; a second Ctrl-C cuts them off.
Exit code: 0 ended by a signal, or taken; 130 by a second signal, or before what was shared for one download was taken;
1 the port cannot be had, or standard input was taken in part; 2 used wrongly; 3 the certificate cannot be trusted."""
)

_EXAMPLES: Final = """\
lanline share .
lanline share photos/ --lan
lanline share drop/ --lan --upload --max-upload 1G
lanline share notes/ --lan --password --tls
lanline share build.tar --once --lan
tar c big/ | lanline share - --name big.tar --lan"""


def share(arguments: list[str], console: Console, folder: StateFolder) -> int:
    """Shares until it is stopped, or taken.

    Raises:
        UsageError: the words make no sense, or it cannot be shared. ListenFailed: no port can be had.
    """
    order = _order(_parser(console).parse_args(arguments))

    from lanline.services.share import sharing  # here, not above: help does without an event loop and HTTP

    return sharing.share(order, console, folder)


def _parser(console: Console) -> WordParser:
    parser = WordParser("share", console, _SUMMARY, examples=_EXAMPLES)
    parser.usage = "lanline share FOLDER|FILE|- [options]"
    parser.add_argument("what", nargs="?", metavar="FOLDER", help=_("what is shared; - is standard input"))
    add = parser.add_argument
    add("--lan", action="store_true", help=_("open it to every private network of this machine"))
    add("--port", type=number(0, 65_535), metavar="N", help=_("8080 or the next free one; 0 takes any free one"))
    add("--upload", action="store_true", help=_("visitors may add files and folders"))
    add("--overwrite", action="store_true", help=_("with --upload: they may replace files"))
    add("--delete", action="store_true", help=_("they may remove files and empty folders"))
    add("--max-upload", type=typed(parse_size), metavar="SIZE", help=_("the largest file that is taken: 500M, 1G"))
    add("--hidden", action="store_true", help=_("also names that begin with a dot"))
    add("--follow", action="store_true", help=_("follow links that lead out of the folder"))
    add("--once", action="store_true", help=_("one file, one complete download, then end"))
    add("--name", metavar="NAME", help=_("what standard input is called"))
    add("--password", action="store_true", help=_("visitors need a password; it is asked for here, unseen"))
    add("--password-file", metavar="FILE", help=_("it stands in this file; or in LANLINE_SHARE_PASSWORD"))
    add("--user", metavar="NAME", help=_("the user name that goes with it; any will do without"))
    add("--insecure", action="store_true", help=_("the password may travel without TLS"))
    add("--tls", action="store_true", help=_("HTTPS, with a certificate of this machine's own"))
    add("--tls-cert", metavar="FILE", help=_("HTTPS with this certificate, PEM"))
    add("--tls-key", metavar="FILE", help=_("its private key, PEM"))
    add("--host", action="append", default=[], metavar="NAME", help=_("a further name of this server; repeatable"))
    add("--log", choices=("text", "json", "none"), default="text", help=_("how requests are shown, on standard error"))
    add("--qr", action="store_true", help=_("draw the QR code wherever the output goes"))
    return parser


def _order(options: Namespace) -> Order:
    if options.what is None:
        raise UsageError(_("what to share is not said"), advice=_("lanline share . shares the folder you are in."))
    return Order(
        what=options.what,
        name=options.name,
        port=options.port,
        is_lan=options.lan,
        upload=options.upload,
        overwrite=options.overwrite,
        delete=options.delete,
        max_upload_bytes=options.max_upload,
        hidden=options.hidden,
        follow=options.follow,
        once=options.once,
        asks_password=options.password,
        password_file=options.password_file,
        user=options.user,
        insecure=options.insecure,
        tls=options.tls,
        tls_cert=options.tls_cert,
        tls_key=options.tls_key,
        hosts=tuple(options.host),
        log=options.log,
        qr=options.qr,
    )
