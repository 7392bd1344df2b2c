"""Claims about the parser of words."""

from __future__ import annotations

import pytest

from lanline.arguments import WordParser, number, typed
from lanline.durations import parse_duration
from lanline.errors import UsageError
from tests.ui.recording import Recording


def _parser(console: Recording | None = None) -> WordParser:
    parser = WordParser("join", console or Recording(), "Joins a room.", examples="lanline join 192.168.1.5")
    parser.add_argument("address")
    parser.add_argument("--ttl", type=typed(parse_duration))
    parser.add_argument("--uses", type=number(1, 30))
    parser.add_flag_or_words("--allow-run", metavar="PROGRAM,...")
    return parser


def test_an_option_alone_does_not_take_the_next_argument() -> None:
    options = _parser().parse_args(["--allow-run", "192.168.1.5"])
    assert (options.allow_run, options.address) == ((), "192.168.1.5")


def test_an_option_takes_the_words_after_its_equals_sign() -> None:
    assert _parser().parse_args(["pc1", "--allow-run=df,uptime"]).allow_run == ("df", "uptime")
    assert _parser().parse_args(["pc1"]).allow_run is None


@pytest.mark.parametrize("text", ["--allow-run=", "--allow-run=df,", "--allow-run=,"])
def test_an_empty_list_of_words_is_never_everything(text: str) -> None:
    with pytest.raises(UsageError, match="empty"):
        _parser().parse_args(["pc1", text])


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ([], "address"),
        (["pc1", "--wrong"], "--wrong"),
        (["pc1", "--us", "3"], "--us"),
        (["pc1", "--uses", "31"], "whole number from 1 to 30"),
        (["pc1", "--uses", "٣"], "whole number"),
        (["pc1", "--ttl", "10"], r"'10' is no length of time \(a number and its unit"),
    ],
)
def test_a_mistake_is_a_usage_error_that_names_it_and_the_help(arguments: list[str], names: str) -> None:
    with pytest.raises(UsageError, match=names) as caught:
        _parser().parse_args(arguments)
    assert caught.value.advice == "lanline join --help"
    assert caught.value.exit_code == 2


def test_help_is_printed_on_the_console_with_its_example() -> None:
    console = Recording()
    with pytest.raises(SystemExit) as caught:
        _parser(console).parse_args(["--help"])
    assert caught.value.code == 0
    assert "lanline join 192.168.1.5" in console.out
    assert "--home" in console.out
    assert "[--allow-run[=PROGRAM,...]]" in console.out
