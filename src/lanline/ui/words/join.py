"""`lanline join`: joins a room with a code from its hub, and serves."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lanline.address import Address
from lanline.arguments import WordParser
from lanline.errors import ConnectFailed, JoinFailed
from lanline.room.firstline import read_line_of
from lanline.room.founding import check_free, keep_joined, node_key_for
from lanline.room.joincode import JoinCode
from lanline.room.names import check_name, name_from_hostname
from lanline.room.settings import DEFAULT_PORT, Settings
from lanline.translation import _
from lanline.ui.serving import (
    add_serving_options,
    check_port,
    check_programs,
    chosen_settings,
    grant_runs,
    hub_address,
    start_node,
)

if TYPE_CHECKING:
    from argparse import Namespace

    from lanline.console import Console
    from lanline.room.joining import Joined
    from lanline.room.paths import StateFolder

CODE_VARIABLE = "LANLINE_CODE"


def join(arguments: list[str], console: Console, folder: StateFolder) -> int:
    """Joins the room and serves."""
    options = _options(arguments, console)
    name = check_name(options.name or name_from_hostname(os.uname().nodename), what="node name")
    hub = hub_address(options.address)
    place = str(hub).removeprefix("tcp://")
    settings = chosen_settings(options, Settings(hub=(place,)))
    check_programs(options)
    check_free(folder)
    folder.ensure()
    check_port(settings)
    code = _code(options, console)
    console.progress(_("joining at {place}").format(place=place))
    joined = _join(hub, code, name, folder)
    console.progress("")
    keep_joined(folder, joined, settings)
    console.note(
        _("Joined the room {room} as {name}, {word}.").format(
            room=joined.room, name=joined.member.name, word=joined.member.role.word
        )
    )
    grant_runs(options, folder, console)
    return start_node(folder, None, console, detach=options.detach)


def _options(arguments: list[str], console: Console) -> Namespace:
    parser = WordParser(
        "join",
        console,
        _(
            "Joins the room whose hub is at ADDRESS, and serves. The code that lanline invite shows there "
            "is asked for;\n"
            "it can also come from --code-file or from the variable {code_variable}, but is never an "
            "argument, for\n"
            "everybody on this machine can read those."
        ).format(code_variable=CODE_VARIABLE),
        examples="lanline join 192.168.1.5 --allow-run\nlanline join desk:9600 --name pc7 --detach\n"
        "lanline join 192.168.1.5 --code-file - --detach < code.txt",
    )
    parser.add_argument(
        "address",
        metavar="ADDRESS",
        help=_("the hub's, with :PORT where that is not {default_port}").format(default_port=DEFAULT_PORT),
    )
    parser.add_argument("--code-file", metavar="FILE", help=_("read the code from there; - is standard input"))
    parser.add_argument("--name", metavar="NAME", help=_("this machine's name in the room; its host name by default"))
    add_serving_options(parser)
    return parser.parse_args(arguments)


def _code(options: Namespace, console: Console) -> JoinCode:
    # Taken out of the environment: what this machine runs later has no business with it.
    from_variable = os.environ.pop(CODE_VARIABLE, "")
    if options.code_file is not None:
        return JoinCode.parse(read_line_of(options.code_file, what="code"))
    return JoinCode.parse(from_variable or console.ask(_("Code from the hub (lanline invite)")))


def _join(hub: Address, code: JoinCode, name: str, folder: StateFolder) -> Joined:
    from lanline.room.doorway import join as join_at
    from lanline.room.joining import JoinerSide

    key = node_key_for(folder)
    system = " ".join(os.uname()[::2])
    try:
        return join_at(hub, lambda: JoinerSide(code, key, name, system=system))
    except ConnectFailed as error:
        raise ConnectFailed(
            str(error),
            advice=_("look at lanline status on the hub: it shows the address and the port; then at firewalls."),
        ) from error
    except JoinFailed as error:
        if error.advice:
            raise
        advice = _("mend what it names (--name NAME for a name that is taken) and join again: the code still holds.")
        raise JoinFailed(str(error), advice=advice) from error
