from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from harmonium.core.errors import DamagedFileError
from harmonium.core.files import read_tensors, write_atomically, write_tensors


def test_tensors_of_every_dtype_and_shape(tmp_path: Path) -> None:
    path = tmp_path / "t"
    tensors = {
        "f32": torch.tensor([[1.5, -0.0], [float("nan"), float("inf")]]), "f64": torch.tensor(2.5, dtype=torch.float64),
        "bf16": torch.tensor([1.0], dtype=torch.bfloat16), "u8": torch.arange(6, dtype=torch.uint8).view(2, 3).T,
        "i64": torch.tensor([2**62]), "bool": torch.tensor([True, False]), "empty": torch.zeros(0, 3),
        "graph": torch.ones(2, requires_grad=True),
    }  # fmt: skip
    meta = {"a": [1, 2.5, None, "ä"], "nan": float("inf")}
    write_tensors(path, tensors, meta)
    found, found_meta = read_tensors(path)
    assert found_meta == meta
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype and found[name].shape == tensor.shape
        same = (found[name] == tensor) | ((found[name] != found[name]) & (tensor != tensor))
        assert bool(same.all())
    assert torch.signbit(found["f32"][0, 1])


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    """Twelve files: metadata in a random order of two keys would agree once in 2^11 tries."""
    tensors, contents = {"b": torch.zeros(1), "a": torch.ones(3, dtype=torch.float64)}, set()
    for _ in range(12):
        write_tensors(tmp_path / "t", tensors, {"k": "ä"})
        contents.add((tmp_path / "t").read_bytes())
    assert len(contents) == 1
    content = contents.pop()
    assert int.from_bytes(content[:8], "little") % 8 == 0  # readers map tensors, which need aligned memory


def test_the_digest_covers_names_types_shapes_and_meaning(tmp_path: Path) -> None:
    from safetensors.torch import save

    path = tmp_path / "t"
    write_tensors(path, {"a": torch.zeros(2, 3)}, {"k": 1})
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    import json

    meta = json.loads(content[8 : 8 + size])["__metadata__"]
    for tensors, text in (
        ({"b": torch.zeros(2, 3)}, meta["harmonium"]), ({"a": torch.zeros(3, 2)}, meta["harmonium"]),
        ({"a": torch.zeros(2, 3, dtype=torch.int32)}, meta["harmonium"]), ({"a": torch.zeros(2, 3)}, '{"k": 2}'),
        ({}, meta["harmonium"]), ({"a": torch.zeros(2, 3), "b": torch.zeros(0)}, meta["harmonium"]),
    ):  # fmt: skip
        path.write_bytes(save(tensors, meta | {"harmonium": text}))
        with pytest.raises(DamagedFileError, match="do not match their digest"):
            read_tensors(path)


def test_writing_replaces_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    write_atomically(path, b"old")

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, broken)
            with pytest.raises(OSError, match="earlier file is unchanged") as error:
                write_atomically(path, b"new")
            assert error.value.errno == errno.EIO
        assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["f"]
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new" and os.listdir(tmp_path) == ["f"]


def test_the_file_is_flushed_before_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (calls.append("fsync"), fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("replace"), replace(a, b)))
    write_atomically(tmp_path / "f", b"x")
    assert calls[:2] == ["fsync", "replace"]
