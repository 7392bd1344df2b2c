"""What a person is told of a server's events."""

from __future__ import annotations

from tests.ui.recording import Recording

from lanline.ui.plain.report import MAX_WAITING, Event, Report
from lanline.ui.plain.watching import said

CLIENT = "tcp://127.0.0.1:5"
CAME: Event = {"event": "came", "client": CLIENT, "local": "tcp://127.0.0.1:1"}


def _left(reason: str = "it closed", **more: object) -> Event:
    return {
        "event": "left",
        "client": CLIENT,
        "reason": reason,
        "why": "ChannelEnded",
        "received_messages": 1,
        "sent_messages": 2,
        "seconds": 1.25,
        **more,
    }


def _report(console: Recording, *, is_verbose: bool = False) -> Report:
    return Report(console, is_verbose=is_verbose, takes_more=lambda seconds: True)


def _shown(*events: Event, is_verbose: bool = False) -> list[str]:
    """The lines, without the time of day in front."""
    console = Recording()
    report = _report(console, is_verbose=is_verbose)
    for event in events:
        report.tell(event)
    return [line[9:] for line in console.out.splitlines()]


def test_each_event_is_one_line_with_who_and_why() -> None:
    assert _shown(CAME, _left()) == [f"{CLIENT} came", f"{CLIENT} left: it closed (1 message in, 2 out, 1.2 s)"]


def test_messages_show_their_direction_their_line_ends_and_what_is_no_text() -> None:
    assert _shown(said(CLIENT, "in", "你好\r\n".encode()), said(CLIENT, "out", b"\xff\x1b[2J")) == [
        f"{CLIENT} -> 你好\\r\\n",
        f"{CLIENT} <- \\xff\\x1b[2J",
    ]


def test_a_message_that_is_cut_says_how_long_it_was() -> None:
    (line,) = _shown(said(CLIENT, "in", b"a" * 501))
    assert line.endswith("a ... (501 bytes in all)")


def test_a_peers_words_never_look_like_an_event() -> None:
    lines = _shown(_left("so\n12:00:00 tcp://1.2.3.4:5 came"), said(CLIENT, "in", b"x\n12:00:00 y came"))
    assert len(lines) == 2


def test_a_traceback_is_shown_where_it_is_wanted() -> None:
    failed = _left("the handler failed: KeyError", why="failed", traceback="Traceback ...\n  File ...\nKeyError\n")
    assert len(_shown(failed)) == 1
    assert "Traceback" in "".join(_shown(failed, is_verbose=True)) or len(_shown(failed, is_verbose=True)) == 4


def test_a_flood_of_refusals_is_one_line_and_a_count() -> None:
    console = Recording()
    report = _report(console)
    for _ in range(1000):
        report.tell({"event": "refused", "client": CLIENT, "limit": 2})
    report.summary()
    lines = console.out.splitlines()
    assert "refused: as many clients as allowed are here: 2" in lines[0]
    assert len(lines) == 3
    assert lines[1].endswith("999 more were refused")
    assert lines[2].endswith("0 clients, 0 messages in, 0 out, 1000 refused")


def test_the_last_line_has_the_figures_of_all() -> None:
    console = Recording()
    report = _report(console)
    for event in (CAME, CAME, _left(), _left()):
        report.tell(event)
    report.summary()
    assert console.out.splitlines()[-1].endswith("2 clients, 2 messages in, 4 out")


def test_an_output_that_takes_nothing_makes_nobody_wait_and_what_was_not_shown_is_counted() -> None:
    console = Recording()
    takes = [False]
    report = Report(console, takes_more=lambda seconds: takes[0])
    for _ in range(MAX_WAITING + 7):
        report.tell(CAME)
    assert report.is_behind
    assert console.out == ""
    takes[0] = True
    report.catch_up()
    lines = console.out.splitlines()
    assert len(lines) == MAX_WAITING + 1
    assert lines[-1].endswith("7 events were not shown: the output takes them too slowly")
    assert not report.is_behind


def test_as_json_each_event_is_an_object_with_its_time() -> None:
    console = Recording(wants_json=True)
    report = _report(console)
    report.tell(CAME)
    report.summary()
    came, stopped = console.values
    assert isinstance(came, dict)
    assert isinstance(stopped, dict)
    assert (came["event"], came["client"]) == ("came", CLIENT)
    assert "T" in came["time"]
    assert (stopped["event"], stopped["clients"]) == ("stopped", 1)
