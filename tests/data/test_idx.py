from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from harmonium.data import load
from harmonium.data.idx import MNIST_PARTS, is_idx, read_idx

IMAGES = np.arange(5 * 2 * 3, dtype=np.uint8).reshape(5, 2, 3) * 8


def idx_bytes(array: np.ndarray, code: int = 0x08) -> bytes:
    head = struct.pack(">BBBB", 0, 0, code, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_mnist(folder: Path, *, zipped: bool = True, dotted: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for (split, what), name in MNIST_PARTS.items():
        cases = IMAGES if split == "train" else IMAGES[:3] + 1
        content = idx_bytes(cases if what == "images" else np.arange(len(cases), dtype=np.uint8))
        name = name.replace("-idx", ".idx") if dotted else name
        (folder / (name + ".gz" * zipped)).write_bytes(gzip.compress(content) if zipped else content)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("code", "dtype"), [(0x08, "u1"), (0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")]
)
def test_every_type_is_read_in_native_order(tmp_path: Path, zipped: bool, code: int, dtype: str) -> None:
    array = (np.arange(12).reshape(3, 4) - 3).astype(dtype)
    content = idx_bytes(array, code)
    path = tmp_path / "x-idx2"
    path.write_bytes(gzip.compress(content) if zipped else content)
    got = read_idx(path)
    assert is_idx(path)
    assert got.dtype == array.dtype and got.dtype.isnative
    assert np.array_equal(got, array)


@pytest.mark.parametrize(("zipped", "dotted"), [(True, False), (False, False), (False, True)])
def test_a_folder_with_the_four_files_of_mnist(tmp_path: Path, zipped: bool, dotted: bool) -> None:
    write_mnist(tmp_path / "set", zipped=zipped, dotted=dotted)
    data = load(tmp_path / "set")
    assert np.array_equal(np.asarray(data.train), (IMAGES.reshape(5, 6) / np.float32(255)).astype(np.float32))
    assert np.array_equal(np.asarray(data.test)[0] * 255, np.arange(6) * 8 + 1)
    assert data.shape == (2, 3) and data.valid is None
    assert data.labels.train.tolist() == [0, 1, 2, 3, 4] and data.labels.test.tolist() == [0, 1, 2]


def test_one_file_of_images_is_read_and_one_of_labels_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    data = load(str(tmp_path / "t10k-images-idx3-ubyte.gz"), binarize="threshold")
    assert data.train.shape == (3, 6) and data.test is None
    with pytest.raises(ValueError, match=r"labels.*file of images"):
        load(tmp_path / "t10k-labels-idx1-ubyte.gz")


def test_mnist_is_found_in_root_in_the_data_folder_and_in_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match=r"download=True.*harmonium data download mnist.*HARMONIUM_DATA"):
        load("mnist")
    write_mnist(tmp_path / "cache" / "harmonium" / "mnist")
    assert len(load("mnist").train) == 5
    write_mnist(tmp_path / "shared" / "mnist", zipped=False)
    for file in (tmp_path / "cache" / "harmonium" / "mnist").iterdir():
        file.unlink()
    monkeypatch.setenv("HARMONIUM_DATA", str(tmp_path / "shared"))
    assert len(load("mnist").train) == 5
    monkeypatch.delenv("HARMONIUM_DATA")
    for root in (tmp_path / "shared", tmp_path / "shared" / "mnist"):
        assert load(**load("mnist", root=root, valid=2).source).valid.shape == (2, 6)


def test_missing_files_are_named(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"t10k-labels-idx1-ubyte.*put all four"):
        load(tmp_path)


def test_images_and_labels_must_belong_together(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(idx_bytes(np.zeros(4, np.uint8)))
    with pytest.raises(ValueError, match=r"3 cases.*4.*download"):
        load(tmp_path)


WHOLE = idx_bytes(IMAGES)
ZIPPED = gzip.compress(WHOLE, mtime=0)  # no time in the bytes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\0\1" + WHOLE[2:], "00010803"),
        (b"\0\0\7" + WHOLE[3:], "not an IDX file"),
        (b"", "nothing"),
        (WHOLE[:9], "header"),
        (WHOLE[:-1], r"\(5, 2, 3\), 30 bytes.*29"),
        (WHOLE + b"\0", "30 bytes.*31 or more"),
        (WHOLE[:4] + b"\xff" * 12 + WHOLE[16:], "30.*damaged"),
        (ZIPPED[:-12], "damaged"),
        (ZIPPED[:-8] + b"\0\0\0\0" + ZIPPED[-4:], "damaged.*CRC"),
        (ZIPPED[:12] + b"\xff\xff" + ZIPPED[14:], "damaged"),
    ],
    ids=[
        "magic",
        "type",
        "empty",
        "header cut",
        "cut",
        "too long",
        "sizes",
        "gzip cut",
        "gzip checksum",
        "gzip stream",
    ],
)
def test_damaged_files_are_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value) and "download it again" in str(caught.value)


def test_the_real_files(benchmark_data: Path) -> None:
    data = load("mnist", valid=10000)
    assert [len(cases) for cases in (data.train, data.valid, data.test)] == [50000, 10000, 10000]
    assert data.shape == (28, 28)
    assert np.bincount(np.concatenate([data.labels.train, data.labels.valid])).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    summary = data.test.statistics()
    assert (summary.low, summary.high) == (0.0, 1.0)
    assert abs(float(summary.mean.mean()) - 0.1325) < 1e-4
