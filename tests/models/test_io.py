"""Model files: whole or refused, never pickled."""

from __future__ import annotations

import copy
import errno
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import harmonium as hm
from harmonium.core.files import write_tensors
from harmonium.models import RBM
from harmonium.models.io import restore

Make = Callable[..., RBM]


def test_everything_comes_back(tmp_path: Path, make_rbm: Make) -> None:
    path = tmp_path / "a.safetensors"
    for model in (
        make_rbm(4, 3, dtype="float32"),
        make_rbm(4, 3),
        hm.RBM(hm.Gaussian((2, 2), log_variance_bounds=(-1, 1)), 3),
    ):
        model.data_mean = torch.rand(4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        model.data_variance = model.data_mean / 2
        model.data_cases = torch.tensor(120.0)
        model.chains = torch.zeros(5, 4, dtype=torch.uint8)
        hm.save(model, path)
        other = hm.load(path)
        assert repr(other) == repr(model) and other.config() == model.config() and not other.is_untrained
        assert other.state_dict().keys() == model.state_dict().keys()
        for name, tensor in model.state_dict().items():
            assert torch.equal(tensor, other.state_dict()[name]) and tensor.dtype == other.state_dict()[name].dtype
        assert hm.log_partition(other).value == hm.log_partition(model).value
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]


def test_without_data_a_loaded_model_has_none(tmp_path: Path) -> None:
    hm.save(hm.RBM(3, 2), tmp_path / "m")
    assert hm.load(tmp_path / "m").data_mean is None


def test_stacks(tmp_path: Path) -> None:
    stack = RBM.from_arrays(
        torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0)), torch.zeros(3, 4), torch.zeros(3, 2)
    )
    hm.save(stack, tmp_path / "stack")
    other = hm.load(tmp_path / "stack")
    assert torch.equal(other.couplings["weights"], stack.weights)
    assert other.visible.natural()[0].shape == (3, 4)


def test_every_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    hm.save(hm.RBM(3, 2), path)
    content = path.read_bytes()
    assert len(content) < 2000
    for position in range(len(content)):
        for flip in (0x01, 0xFF):
            changed = bytearray(content)
            changed[position] ^= flip
            path.write_bytes(changed)
            with pytest.raises(hm.errors.DamagedFileError, match=r"m\.safetensors"):
                hm.load(path)
    path.write_bytes(content)
    hm.load(path)


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    hm.save(hm.RBM(3, 2), path)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(hm.errors.DamagedFileError, match="cut short or damaged"):
            hm.load(path)
    path.write_bytes(content + b"x")
    with pytest.raises(hm.errors.DamagedFileError):
        hm.load(path)


def test_other_files(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "x"
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(hm.errors.DamagedFileError, match="harmonium did not write it"):
        hm.load(path)
    save_file({"a": torch.zeros(2)}, path, {"format": "pt"})
    with pytest.raises(hm.errors.DamagedFileError, match="harmonium did not write it"):
        hm.load(path)
    write_tensors(path, {"a": torch.zeros(2)}, {"format": 1})
    with pytest.raises(hm.errors.DamagedFileError, match="not a harmonium model"):
        hm.load(path)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        hm.load(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError):
        hm.load(tmp_path)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("a pickle was loaded",))


def test_nothing_is_pickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m"
    for content in (pickle.dumps(Bomb()), b"", b"\x80\x04."):
        path.write_bytes(content)
        with pytest.raises(hm.errors.DamagedFileError):
            hm.load(path)
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(hm.errors.DamagedFileError):
        hm.load(path)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("pickle was used")

    for name in ("dump", "dumps", "load", "loads", "Pickler", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "save", refuse)
    monkeypatch.setattr(torch, "load", refuse)
    hm.save(hm.RBM(3, 2), path)
    hm.load(path)


def test_of_another_model(tmp_path: Path) -> None:
    hm.save(hm.RBM(3, 2), tmp_path / "m")
    tensors = hm.load(tmp_path / "m").state_dict()
    for other, message in (
        (hm.RBM(4, 2), "has shape .* expected"),
        (hm.RBM(hm.Gaussian(3), 2), r"log_variance does not fit"),
    ):
        with pytest.raises(hm.errors.DamagedFileError, match=f"belongs to another model.*{message}"):
            restore(other, tensors, "m")
    with pytest.raises(hm.errors.DamagedFileError, match="odd does not fit"):
        restore(hm.RBM(3, 2), tensors | {"odd": torch.zeros(1)}, "m")


def test_newer_files_are_refused_with_words(tmp_path: Path) -> None:
    model = hm.RBM(3, 2)
    for change, message in (
        ({"type": "Future"}, "'Future'"),
        ({"visible": {"type": "Odd", "shape": [3]}}, "'Odd'"),
    ):
        write_tensors(tmp_path / "m", model.state_dict(), {"format": 1, "model": model.config() | change})
        with pytest.raises(hm.errors.DamagedFileError, match=message):
            hm.load(tmp_path / "m")


def test_a_full_disk_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.safetensors"
    hm.save(hm.RBM(3, 2, seed=1), path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(
            OSError, match=r"cannot write .*m\.safetensors: No space left.*earlier file is unchanged"
        ) as error:
            hm.save(hm.RBM(3, 2, seed=2), path)
        assert error.value.errno == errno.ENOSPC
        with pytest.raises(OSError, match="nothing was written"):
            hm.save(hm.RBM(3, 2), tmp_path / "new")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["m.safetensors"]
    with pytest.raises(OSError, match="cannot write"):
        hm.save(hm.RBM(3, 2), tmp_path / "no" / "folder")


def test_the_header_is_json_that_others_can_read(tmp_path: Path) -> None:
    path = tmp_path / "m"
    hm.save(hm.RBM((2, 3), 2), path)
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    meta = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["harmonium"])
    assert meta["model"]["type"] == "RBM" and meta["model"]["visible"] == {"type": "Bernoulli", "shape": [2, 3]}
    if os.name == "posix":
        mask = os.umask(0)
        os.umask(mask)
        assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_copy_of_a_fresh_model_is_fresh() -> None:
    """Training then begins with the means of the data; a copy of a changed model keeps what it has."""
    rbm = hm.RBM(4, 2)
    copied = copy.deepcopy(rbm)
    assert copied.is_untrained and rbm.is_untrained and copied.weights is not rbm.weights
    with torch.no_grad():
        rbm.weights.add_(1)
    assert not rbm.is_untrained and not copy.deepcopy(rbm).is_untrained and copied.is_untrained
    assert torch.equal(copy.deepcopy(rbm).weights, rbm.weights)


def test_parameters_that_were_set_through_data_are_not_drawn_anew() -> None:
    machine = hm.BoltzmannMachine(3, edges=[[0, 1], [1, 2]])
    assert machine.is_untrained
    for coupling in machine.couplings.values():
        coupling.data.fill_(3.0)
    assert not machine.is_untrained
