from __future__ import annotations

import pytest

from harmonium.core.random import RandomAddress, Stream, as_stream


def test_children_are_pure() -> None:
    stream = Stream(3)
    before = stream.child("ais", 4)
    stream.advance(17)
    after = stream.child("ais", 4)
    assert (before.key, before.step) == (after.key, after.step) == (Stream(3, "ais", 4).key, 0)
    assert stream.child("ais").child(4).key == before.key


def test_names_and_seeds_make_other_keys() -> None:
    paths: list[tuple[str | int, ...]] = [
        (),
        ("a",),
        ("b",),
        ("a", "b"),
        ("b", "a"),
        ("ab",),
        (1,),
        ("1",),
        ("a", 1),
        ("a", "1"),
        ("a\x1f'b'",),
    ]
    keys = {Stream(seed, *path).key for seed in (0, 1, -1, 10, 2**70) for path in paths}
    assert len(keys) == 5 * len(paths)
    assert all(0 <= key < 2**64 for key in keys)


def test_the_key_is_what_files_and_runs_rely_on() -> None:
    # Changing the hash would silently change every published run.
    import hashlib

    expected = int.from_bytes(hashlib.blake2b(b"7\x1f'train'\x1f2", digest_size=8).digest(), "little")
    assert Stream(7, "train", 2).key == expected


def test_the_cursor() -> None:
    stream = Stream(0, "x", step=5, first=100)
    assert stream.advance() == RandomAddress(stream.key, 5, 0, 100)
    assert stream.advance(3).step == 6
    assert stream.step == 9
    assert stream.child("y").first == 100
    assert repr(stream) == "Stream(0, 'x', step=9)"
    assert RandomAddress(1, 2).at(3) == RandomAddress(1, 2, 3, 0)


@pytest.mark.parametrize("seed", [True, 1.0, "1", None])
def test_other_seeds_are_refused(seed: object) -> None:
    with pytest.raises(TypeError, match=r"seed must be an int or a harmonium\.Stream, found"):
        Stream(seed)  # type: ignore[arg-type]


def test_as_stream() -> None:
    stream = Stream(4, step=2)
    assert as_stream(stream) is stream
    assert as_stream(4).key == stream.key
