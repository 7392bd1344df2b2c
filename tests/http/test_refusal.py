"""Refusals: which status an error becomes, and which kind of text the client gets."""

from __future__ import annotations

import asyncio
import errno
import json

import pytest

from lanline import errors
from lanline.errors import FileError
from lanline.http.refusal import Refusal, prefers_json, refusal_of, refusal_of_system, title_of
from tests.http.raw import connected, request, serving


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("NameRefused", 400),
        ("NoAccess", 403),
        ("LeadsOutside", 403),
        ("FileMissing", 404),
        ("FolderGone", 404),
        ("ParentMissing", 409),
        ("TakenAlready", 409),
        ("NotEmpty", 409),
        ("DiskFull", 507),
    ],
)
def test_every_error_of_a_folder_has_its_status(kind: str, status: int) -> None:
    refusal = refusal_of(getattr(errors, kind)("one sentence"))
    assert (refusal.status, refusal.sentence) == (status, "One sentence.")


def test_every_kind_of_file_error_is_known() -> None:
    assert [kind for kind in FileError.__subclasses__() if refusal_of(kind("x")).status == 500] == []


def test_what_the_system_failed_at_is_500_without_its_words() -> None:
    refusal = refusal_of(FileError("cannot read /home/ann/secret: Input/output error"))
    assert refusal.status == 500
    assert "ann" not in refusal.sentence


def test_too_many_open_files_are_503_and_when_to_come_again() -> None:
    error = FileError("cannot open")
    error.__cause__ = OSError(errno.EMFILE, "Too many open files")
    assert refusal_of(error).status == 503
    assert refusal_of(error).headers["Retry-After"].isdigit()
    assert refusal_of_system(OSError(errno.EIO, "x")) is None


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", True),
        ("application/problem+json", True),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("application/json, text/plain, */*", True),
        ("text/html, application/json;q=0.9", False),
        ("application/json;q=0", False),
        ("APPLICATION/JSON ; Q=0.5, text/plain;q=0.4", True),
        ("application/json;q=many", False),
    ],
)
def test_json_is_chosen_where_it_is_preferred(accept: str, is_json: bool) -> None:
    assert prefers_json(accept) == is_json


def test_a_refusal_is_a_line_of_text_or_a_problem_in_json() -> None:
    async def main() -> None:
        async def site(_asked: object) -> object:
            raise Refusal(413, "too much of it: ü", headers={"X-More": "yes"})

        async with serving(site) as server, connected(server) as raw:  # type: ignore[arg-type]  # it only refuses
            text = await raw.ask(request("/"))
            assert (text.status, text.body.decode()) == (413, "Too much of it: ü.\n")
            assert text.fields["content-type"] == "text/plain; charset=utf-8"
            problem = await raw.ask(request("/", "Accept: application/json"))
            assert problem.fields["content-type"] == "application/problem+json"
            assert json.loads(problem.body) == {
                "title": "Content Too Large",
                "status": 413,
                "detail": "Too much of it: ü.",
            }
            for answer in (text, problem):
                assert answer.fields["x-more"] == "yes"
                assert answer.fields["x-content-type-options"] == "nosniff"
                assert answer.fields["cache-control"] == "no-store"

    asyncio.run(main())


def test_every_sentence_has_its_capital_and_its_full_stop_once() -> None:
    for said, shown in (
        ("there is nothing by this name", "There is nothing by this name."),
        ("There is nothing at this address.", "There is nothing at this address."),
        ("1 byte lacks", "1 byte lacks."),
    ):
        assert Refusal(404, said).sentence == shown


def test_a_status_without_a_phrase_is_called_by_its_number() -> None:
    assert title_of(404) == "Not Found"
    assert title_of(414) == "URI Too Long" and title_of(416) == "Range Not Satisfiable"
    assert title_of(599) == "599"
