"""Problems for programs: a type, members and fields, in JSON."""

from __future__ import annotations

import json

from lanline.http.refusal import UNKEPT, Refusal
from lanline.services.share.uploads.problems import MISMATCHING_OFFSET, problem, problem_of


def test_a_problem_has_its_type_its_members_and_its_fields() -> None:
    answer = problem(409, "Elsewhere.", kind=MISMATCHING_OFFSET, members={"expected-offset": 5}, headers={"X": "y"})
    assert (answer.status, answer.content_type, answer.headers["X"]) == (409, "application/problem+json", "y")
    assert UNKEPT.items() <= answer.headers.items()
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body) == {
        "type": MISMATCHING_OFFSET,
        "title": "Conflict",
        "status": 409,
        "detail": "Elsewhere.",
        "expected-offset": 5,
    }


def test_a_refusal_becomes_one_with_the_fields_of_both() -> None:
    answer = problem_of(Refusal(429, "Later.", headers={"Retry-After": "5"}), {"Upload-Complete": "?0"})
    assert (answer.status, answer.headers["Retry-After"], answer.headers["Upload-Complete"]) == (429, "5", "?0")
