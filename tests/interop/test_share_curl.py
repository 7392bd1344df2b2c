"""curl before the real `lanline share`: downloads that go on, uploads, conditions, archives, passwords and TLS."""

from __future__ import annotations

import base64
import hashlib
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.interop.shares import ODD_NAMES, Share, noise, program, ran, shared

SIZE = 3_000_001
SECRET = "correct horse battery"


@pytest.fixture
def folder(tmp_path: Path, seed: int) -> Path:
    """What is shared."""
    made = tmp_path / "stuff"
    (made / "sub").mkdir(parents=True)
    noise(made / "big.bin", SIZE, seed)
    (made / "a.txt").write_bytes(b"hello\n")
    return made


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    """Where curl runs."""
    made = tmp_path / "here"
    made.mkdir()
    return made


@pytest.fixture
def share(folder: Path) -> Iterator[Share]:
    """A share that takes files."""
    with shared(folder, "--upload") as one:
        yield one


def _curl(cwd: Path, *words: str, stdin: bytes = b"", code: int = 0) -> str:
    """What curl prints."""
    done = ran([program("curl"), "-sS", "--max-time", "50", *words], cwd, stdin=stdin, code=code)
    return done.stdout.decode()


def _told(field: str) -> tuple[str, str]:
    """Makes curl print one figure after it is done."""
    return "-w", f"%{{{field}}}"


def test_a_download_that_was_cut_goes_on_where_it_ended(share: Share, folder: Path, cwd: Path) -> None:
    data = (folder / "big.bin").read_bytes()
    (cwd / "big.bin").write_bytes(data[:1_234_567])
    words = ("-C", "-", "-O", f"{share.url}big.bin", *_told("http_code"))
    assert _curl(cwd, *words) == "206"
    assert (cwd / "big.bin").read_bytes() == data
    assert _curl(cwd, *words) == "416", "nothing is left to get"
    assert (cwd / "big.bin").read_bytes() == data
    served = [row["sent_bytes"] for row in share.log() if row["status"] == 206]
    assert len(served) == 1 and 0 < served[0] - (SIZE - 1_234_567) < 2000, "the rest and a header, no more"


def test_parts_that_were_got_side_by_side_are_the_file(share: Share, folder: Path, cwd: Path) -> None:
    places = range(0, SIZE, 1_000_000)
    words: list[str] = []
    for place in places:
        words += ["--next"] if words else []
        words += ["-sS", "-r", f"{place}-{place + 999_999}", "-o", str(place), f"{share.url}big.bin"]
    ran([program("curl"), "--parallel", "--no-progress-meter", *words], cwd)
    data = b"".join((cwd / str(place)).read_bytes() for place in places)
    assert data == (folder / "big.bin").read_bytes()
    assert [row["status"] for row in share.log()] == [206] * len(places)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_file_of_any_name_is_got_and_put_where_every_system_can_hold_it(
    share: Share, folder: Path, cwd: Path, name: str
) -> None:
    (cwd / name).write_text(name)
    is_portable = not set(name) & set('<>:"|?*')
    said = _curl(cwd, "-g", "-T", name, f"{share.url}sub/", *_told("http_code"))
    assert said == "201" if is_portable else said.endswith("which Windows cannot hold.\n400")
    assert (folder / "sub" / name).exists() == is_portable
    (folder / "sub" / name).write_text(name)
    assert _curl(cwd, f"{share.url}sub/{quote(name)}") == name


def test_a_file_is_put_once_and_replaced_where_that_is_allowed(share: Share, folder: Path, cwd: Path) -> None:
    (cwd / "a.txt").write_bytes(b"another")
    words = ("-T", "a.txt", *_told("http_code"), "-o", "said")
    assert _curl(cwd, *words, share.url) == "405"
    assert (folder / "a.txt").read_bytes() == b"hello\n"
    assert "replaces none" in (cwd / "said").read_text()
    with shared(folder, "--upload", "--overwrite") as replacing:
        assert _curl(cwd, *words, replacing.url) == "204"
        assert (folder / "a.txt").read_bytes() == b"another"
        assert _curl(cwd, "-T", "a.txt", *_told("http_code"), f"{replacing.url}new.txt") == "201"


def test_standard_input_is_put_in_chunks(share: Share, folder: Path, cwd: Path, seed: int) -> None:
    data = noise(cwd / "data", 700_000, seed)
    assert _curl(cwd, "-T", "-", f"{share.url}in.bin", *_told("http_code"), stdin=data) == "201"
    assert (folder / "in.bin").read_bytes() == data
    assert {path.name for path in folder.iterdir()} == {"sub", "big.bin", "a.txt", "in.bin"}, "no part is left"


def test_what_is_refused_is_not_sent(folder: Path, cwd: Path, seed: int) -> None:
    noise(cwd / "large", 2_000_000, seed)
    wait = ("-H", "Expect: 100-continue", "--expect100-timeout", "40")
    words = (*wait, "-T", "large", "-o", "said", "-w", "%{http_code} %{size_upload}")
    with shared(folder, "--upload", "--max-upload", "1M") as share:
        assert _curl(cwd, *words, f"{share.url}large") == "413 0"
        assert "1.0 MiB" in (cwd / "said").read_text()
    with shared(folder) as share:
        assert _curl(cwd, *words, f"{share.url}large") == "405 0"
    with shared(folder, "--upload", "--insecure", LANLINE_SHARE_PASSWORD=SECRET) as share:
        assert _curl(cwd, *words, "-u", "me:wrong", f"{share.url}large") == "401 0"
    assert not (folder / "large").exists()


def test_a_form_brings_several_files_and_folders(share: Share, folder: Path, cwd: Path) -> None:
    for name in ("one", "zwei ö"):
        (cwd / name).write_text(name)
    form = ("-F", "file=@one", "-F", "file=@zwei ö", "-F", "file=@one;filename=x/y/one.txt")
    assert _curl(cwd, *form, f"{share.url}sub/", *_told("http_code"), "-o", "said") in ("201", "303")
    assert "3 files" in (cwd / "said").read_text()
    got = {
        str(path.relative_to(folder / "sub")): path.read_text() for path in folder.glob("sub/**/*") if path.is_file()
    }
    assert got == {"one": "one", "zwei ö": "zwei ö", "x/y/one.txt": "one"}


def test_a_head_tells_what_a_get_would(share: Share, cwd: Path) -> None:
    def fields(*words: str) -> dict[str, str]:
        lines = _curl(cwd, *words, f"{share.url}big.bin").splitlines()
        found = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        found.pop("Date")
        return {"": lines[0], **found}

    told = fields("-I")
    assert told == fields("-o", "got", "-D", "-")
    assert told["Content-Length"] == str(SIZE) and told["Accept-Ranges"] == "bytes"


def test_asking_for_compression_changes_no_byte(share: Share, folder: Path, cwd: Path) -> None:
    _curl(cwd, "--compressed", "-O", f"{share.url}big.bin")
    assert (cwd / "big.bin").read_bytes() == (folder / "big.bin").read_bytes()


def test_what_is_had_already_is_not_sent_again(share: Share, cwd: Path) -> None:
    address, status = f"{share.url}a.txt", _told("http_code")
    assert _curl(cwd, "--etag-save", "tag", "-o", "one", address, *status) == "200"
    assert _curl(cwd, "--etag-compare", "tag", "-o", "two", address, *status) == "304"
    assert _curl(cwd, "-R", "-o", "old", address, *status) == "200"
    assert _curl(cwd, "-z", "old", "-o", "two", address, *status) == "304"
    assert not (cwd / "two").exists()
    assert _curl(cwd, "-z", "2001-01-01", "-o", "two", address, *status) == "200"


def test_a_folder_comes_through_a_pipe_as_zip_or_tar(share: Share, folder: Path, cwd: Path) -> None:
    _curl(cwd, "-o", "all.zip", f"{share.url}?zip")
    ran([sys.executable, "-m", "zipfile", "-e", "all.zip", "out"], cwd)
    assert (cwd / "out" / "stuff" / "big.bin").read_bytes() == (folder / "big.bin").read_bytes()
    curl = [program("curl"), "-sS", f"{share.url}?tar&name=a.txt&name=sub"]
    with subprocess.Popen(curl, stdout=subprocess.PIPE) as getting:
        names = subprocess.check_output(["tar", "t"], stdin=getting.stdout, text=True).splitlines()
    assert getting.returncode == 0
    assert {name.removeprefix("stuff/") for name in names} - {""} == {"a.txt", "sub/"}


def test_a_password_over_tls_and_a_certificate_that_is_known(folder: Path, cwd: Path) -> None:
    with shared(folder, "--tls", "--user", "me", LANLINE_SHARE_PASSWORD=SECRET) as share:
        split = urlsplit(share.url)
        assert split.scheme == "https" and split.port is not None
        pem = ssl.get_server_certificate(("127.0.0.1", split.port), timeout=30)
        (cwd / "known.pem").write_text(pem)
        key = x509.load_pem_x509_certificate(pem.encode()).public_key()
        digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
        address, status, me = f"{share.url}a.txt", _told("http_code"), ("-u", f"me:{SECRET}")
        assert _curl(cwd, "-k", address, "-o", "said", *status) == "401"
        assert _curl(cwd, "-k", "-u", "me:wrong", address, "-o", "said", *status) == "401"
        assert _curl(cwd, "-k", *me, address) == "hello\n"
        _curl(cwd, *me, address, code=60)  # nobody vouches for it
        assert _curl(cwd, "--cacert", "known.pem", *me, address) == "hello\n"
        pin = ("-k", "--pinnedpubkey")
        assert _curl(cwd, *pin, f"sha256//{base64.b64encode(digest).decode()}", *me, address) == "hello\n"
        _curl(cwd, *pin, f"sha256//{base64.b64encode(bytes(32)).decode()}", *me, address, code=90)
        assert [row["user"] for row in share.log() if row["status"] == 200] == ["me"] * 3
