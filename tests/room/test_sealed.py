"""Sealed files notice each byte that changed."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.errors import StateDamaged, StateUnsafe
from lanline.room.sealed import load_cache, load_sealed, save_sealed, seal, unseal


class Settings(msgspec.Struct, frozen=True):
    """Something to seal."""

    port: int
    name: str = ""


@given(st.dictionaries(st.text(), st.integers(-(2**53), 2**53) | st.text() | st.booleans()))
def test_what_was_sealed_is_unsealed(value: dict[str, int | str | bool]) -> None:
    assert unseal("x", seal("x", value), dict) == value


@given(st.binary(max_size=200))
def test_garbage_is_damage_and_nothing_else(data: bytes) -> None:
    with pytest.raises(StateDamaged):
        unseal("x", data, dict)


def test_a_sealed_file_is_json_that_a_person_can_read() -> None:
    parsed = json.loads(seal("node", Settings(9527)))
    assert parsed["lanline"] == "node"
    assert parsed["value"] == {"port": 9527, "name": ""}


def test_every_single_byte_counts() -> None:
    data = seal("node", Settings(9527, "pc7"))
    for index in range(len(data)):
        for mask in (1, 2, 4, 8, 16, 32, 64, 128):
            with pytest.raises(StateDamaged):
                unseal("node", data[:index] + bytes([data[index] ^ mask]) + data[index + 1 :], Settings)


def test_a_cut_or_longer_file_is_damage() -> None:
    data = seal("node", Settings(9527))
    for changed in (*(data[:length] for length in range(len(data))), data + b"\n", data + b" "):
        with pytest.raises(StateDamaged):
            unseal("node", changed, Settings)


def test_another_kind_is_refused() -> None:
    with pytest.raises(StateDamaged):
        unseal("presence", seal("node", Settings(1)), Settings)


def test_another_type_is_said_to_be_of_another_version() -> None:
    with pytest.raises(StateDamaged, match="another version"):
        unseal("node", seal("node", {"port": "x"}), Settings)


def test_a_missing_file_is_none_and_a_damaged_one_is_refused_with_instructions(tmp_path: Path) -> None:
    path = tmp_path / "node.json"
    assert load_sealed(path, "node", Settings) is None
    save_sealed(path, "node", Settings(9527))
    assert load_sealed(path, "node", Settings) == Settings(9527)
    path.write_bytes(path.read_bytes().replace(b"9527", b"9528"))
    with pytest.raises(StateDamaged, match="not what was written") as refused:
        load_sealed(path, "node", Settings)
    assert f"mv {path}" in refused.value.advice


def test_a_damaged_cache_is_discarded_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "presence.json"
    assert load_cache(path, "presence", Settings) == (None, "")
    path.write_bytes(b"{}")
    value, note = load_cache(path, "presence", Settings)
    assert value is None
    assert "discarded" in note


def test_a_cache_that_others_can_write_is_still_refused(tmp_path: Path) -> None:
    save_sealed(tmp_path / "x", "presence", Settings(1))
    (tmp_path / "x").chmod(0o666)
    with pytest.raises(StateUnsafe):
        load_cache(tmp_path / "x", "presence", Settings)
