"""The password of a share: from the terminal, a file or the environment; never from the command line.

A command line can be read by every user of the machine and stays in the shell's history. Rules: at a terminal it is
typed twice; a file that others can read is refused; the variable protects as soon as it is set, for whoever sets it
relies on it, and is taken out of the environment, so that no child gets it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from lanline.errors import UsageError
from lanline.room.firstline import STANDARD_INPUT, read_line_of
from lanline.translation import _

if TYPE_CHECKING:
    from lanline.console import Console
    from lanline.services.share.owner.given import Given
    from lanline.services.share.owner.order import Order

VARIABLE: Final = "LANLINE_SHARE_PASSWORD"


def password_for(order: Order, console: Console, given: Given) -> str | None:
    """The password that visitors need; None where they need none. The order is judged before anybody is asked.

    Raises:
        UsageError: the order makes no sense; the password is empty, the two differ, or there is no terminal to ask at.
        StateUnsafe: others can read the file.
    """
    from_environment = os.environ.pop(VARIABLE, None)
    has_password = order.asks_password or order.password_file is not None or from_environment is not None
    order.check(has_password=has_password, is_folder=given.kind == "folder")
    if not has_password:
        return None
    if order.password_file is not None:
        if order.password_file == STANDARD_INPUT and order.is_input:
            raise UsageError(
                _("standard input cannot hold both the password and what is shared"),
                advice=_("put the password into a file of mode 600."),
            )
        return read_line_of(order.password_file, what=_("password"), is_secret=True)
    if from_environment is not None:
        return _not_empty(from_environment)
    first = _not_empty(console.secret(_("Password for visitors")))
    if console.secret(_("The same again")) != first:
        raise UsageError(_("the two passwords differ: nothing is shared"), advice=_("the same once more."))
    return first


def _not_empty(password: str) -> str:
    if not password.strip():
        raise UsageError(
            _("an empty password protects nothing: nothing is shared"), advice=_("type one, or leave --password out.")
        )
    return password
