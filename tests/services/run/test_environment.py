"""What a job finds in its environment, and what it may not be given."""

from __future__ import annotations

import os
import subprocess

import pytest
from tests.services.run.watching import python

from lanline.services.run.environment import PATH, base_environment, home_folder, job_environment
from lanline.services.run.outcome import Refused


def test_a_job_gets_a_small_clean_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    made = job_environment({"COLOUR": "red"}, job="0a", node="pc7")
    assert not isinstance(made, Refused)
    assert set(made) == {
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANLINE_JOB", "LANLINE_NODE", "COLOUR",
    }  # fmt: skip
    assert (made["PATH"], made["LANLINE_JOB"], made["LANLINE_NODE"]) == (PATH, "0a", "pc7")


@pytest.mark.parametrize(
    "name",
    ["LD_PRELOAD", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "PYTHONPATH", "PYTHONSTARTUP", "BASH_ENV", "ENV",
     "IFS", "PERL5LIB", "PERL5OPT", "RUBYOPT", "NODE_OPTIONS", "BASH_FUNC_ls%%", "PATH", "LANLINE_JOB",
     "GIT_SSH_COMMAND", "GLIBC_TUNABLES"],
)  # fmt: skip
def test_a_variable_that_loads_other_code_refuses_the_job(name: str) -> None:
    refused = job_environment({"A": "1", name: "x"}, job="0a", node="pc7")
    assert isinstance(refused, Refused)
    assert refused.rule == "environment"
    assert name in refused.text


def test_what_the_policy_names_is_let_through() -> None:
    made = job_environment({"PYTHONPATH": "/srv", "LC_X": "1"}, job="0a", node="pc7", allowed=["PYTHON*"])
    assert not isinstance(made, Refused)
    assert made["PYTHONPATH"] == "/srv"


def test_the_job_and_the_node_are_never_the_callers_word() -> None:
    made = job_environment({"LANLINE_JOB": "forged"}, job="0a", node="pc7", allowed=["*"])
    assert not isinstance(made, Refused)
    assert made["LANLINE_JOB"] == "0a"


@pytest.mark.parametrize("pair", [("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "x\0y")])
def test_what_is_no_variable_refuses_the_job(pair: tuple[str, str]) -> None:
    assert isinstance(job_environment(dict([pair]), job="0a", node="pc7"), Refused)


def test_a_job_without_a_folder_starts_at_home() -> None:
    assert os.path.isdir(home_folder())


@pytest.mark.parametrize("name", ["LC_ALL", "LC_CTYPE", "LANG"])
def test_the_language_of_the_node_is_the_language_of_its_jobs(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for each in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, "zh_CN.GBK")
    base_environment.cache_clear()
    try:
        assert base_environment()["LANG"] == "zh_CN.GBK"
    finally:
        base_environment.cache_clear()


def test_the_declared_encoding_is_the_locales() -> None:
    code = "from lanline.services.run.environment import job_encoding; print(job_encoding())"
    environment = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = subprocess.run(python(code), capture_output=True, text=True, timeout=15, env=environment, check=True)
    assert done.stdout.strip() == "ANSI_X3.4-1968"
