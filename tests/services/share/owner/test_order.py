"""Claims about the options of a share that go together, and those that do not."""

from __future__ import annotations

from typing import Any

import pytest

from lanline.errors import UsageError
from lanline.services.share.owner.order import Order

FOLDER: dict[str, Any] = {"what": "drop/"}
FILE: dict[str, Any] = {"what": "build.tar"}
INPUT: dict[str, Any] = {"what": "-"}


def _check(values: dict[str, Any], *, has_password: bool = False) -> None:
    order = Order(**values)
    order.check(has_password=has_password, is_folder=order.what.endswith("/"))


@pytest.mark.parametrize(
    "values",
    [
        FOLDER,
        {**FOLDER, "upload": True, "overwrite": True, "delete": True, "max_upload_bytes": 5, "is_lan": True},
        {**FOLDER, "delete": True},
        {**FOLDER, "hidden": True, "follow": True},
        {**FILE, "once": True},
        {**INPUT, "name": "big.tar", "once": True},
        {**INPUT, "name": "大.tar"},
        {**FOLDER, "tls_cert": "a", "tls_key": "b"},
        {**FOLDER, "hosts": ("desk", "share.example.", "bücher.example")},
    ],
)
def test_what_goes_together_passes(values: dict[str, Any]) -> None:
    _check(values)
    assert not Order(**FOLDER).changes


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({**FOLDER, "overwrite": True}, "--overwrite goes with --upload"),
        ({**FOLDER, "overwrite": True, "delete": True}, "--overwrite goes with --upload"),
        ({**FOLDER, "max_upload_bytes": 5}, "--max-upload goes with --upload"),
        ({**FOLDER, "once": True}, "--once is for one file"),
        ({**FILE, "upload": True}, "--upload is for folders"),
        ({**FILE, "delete": True}, "--delete is for folders"),
        ({**INPUT, "hidden": True}, "--hidden is for folders"),
        ({**INPUT, "follow": True}, "--follow is for folders"),
        ({**FOLDER, "name": "x"}, "--name is for standard input"),
        ({**INPUT, "name": "a/b"}, "is no name of a file"),
        ({**INPUT, "name": ".."}, "is no name of a file"),
        ({**INPUT, "name": "x" * 256}, "is no name of a file"),
        ({**FOLDER, "user": "anna"}, "--user goes with --password"),
        ({**FOLDER, "insecure": True}, "--insecure goes with --password"),
        ({**FOLDER, "hosts": ("desk", "http://desk:80/")}, "'http://desk:80/' is no name of a host"),
        ({**FOLDER, "hosts": ("a b",)}, "is no name of a host"),
        ({**FOLDER, "hosts": ("",)}, "is no name of a host"),
        ({**FOLDER, "tls_cert": "a"}, "go together"),
        ({**FOLDER, "tls_key": "a"}, "go together"),
    ],
)
def test_an_option_without_effect_is_refused_with_what_it_lacks(values: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        _check(values)


def test_a_password_goes_to_the_network_over_tls_or_in_the_open_by_name() -> None:
    for safe in ({}, {"is_lan": True, "tls": True}, {"is_lan": True, "insecure": True}):
        _check({**FOLDER, **safe}, has_password=True)
    _check({**FOLDER, "is_lan": True, "tls_cert": "a", "tls_key": "b", "user": "anna"}, has_password=True)
    with pytest.raises(UsageError, match="can read the password") as caught:
        _check({**FOLDER, "is_lan": True}, has_password=True)
    assert "--tls" in caught.value.advice and "--insecure" in caught.value.advice


def test_what_is_secret_is_known_before_anything_is_served() -> None:
    assert not Order(**FOLDER).makes_key and Order(**FOLDER).secrets == ()
    assert Order(**FOLDER, tls=True).makes_key
    own = Order(**FOLDER, tls=True, tls_cert="a", tls_key="b", password_file="c")
    assert not own.makes_key and own.secrets == ("b", "c")
    assert Order(**FOLDER, password_file="-").secrets == ()
