from __future__ import annotations

import gzip
import hashlib
import importlib
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from harmonium.data import download, load

module = importlib.import_module("harmonium.data.download")  # in the package this is the name of the function


def idx(*shape: int) -> bytes:
    values = bytes(i * 7 % 256 for i in range(int(np.prod(shape))))
    content = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + values
    return gzip.compress(content)


FILES = {
    "train-images-idx3-ubyte.gz": idx(5, 2, 3),
    "train-labels-idx1-ubyte.gz": idx(5),
    "t10k-images-idx3-ubyte.gz": idx(2, 2, 3),
    "t10k-labels-idx1-ubyte.gz": idx(2),
}
VICTIM = "t10k-images-idx3-ubyte.gz"


class Mirror(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = dict(FILES)
        self.cut: set[str] = set()
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        name = self.path.rsplit("/", 1)[-1]
        self.server.asked.append(name)
        if name not in self.server.files:
            self.send_error(404)
            return
        content = self.server.files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if name in self.server.cut else content)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    monkeypatch.setitem(module.DOWNLOADS, "mnist", hashes)
    server = Mirror()
    monkeypatch.setenv("HARMONIUM_MIRROR", f"http://127.0.0.1:{server.server_port}/some/folder")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_named_download_fills_the_cache_once(mirror: Mirror, tmp_path: Path) -> None:
    data = load("mnist", download=True)
    assert data.train.shape == (5, 6) and data.shape == (2, 3)
    folder = tmp_path / "cache" / "harmonium" / "mnist"
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == FILES
    assert sorted(mirror.asked) == sorted(FILES)
    assert len(load("mnist").train) == len(load("mnist", download=True).train) == 5
    assert download("mnist") == folder
    assert len(mirror.asked) == len(FILES)


def test_nothing_is_downloaded_without_being_asked_for(mirror: Mirror) -> None:
    with pytest.raises(FileNotFoundError):
        load("mnist")
    assert mirror.asked == []


def test_another_folder_can_be_named(mirror: Mirror, tmp_path: Path) -> None:
    assert download("mnist", tmp_path / "here") == tmp_path / "here"
    assert len(load("mnist", root=tmp_path / "here").test) == 2
    assert load("mnist", root=tmp_path / "there", download=True).train.shape == (5, 6)
    assert {file.name for file in (tmp_path / "there").iterdir()} == set(FILES)


def test_a_damaged_file_in_the_cache_is_downloaded_again(mirror: Mirror) -> None:
    folder = download("mnist")
    (folder / VICTIM).write_bytes(FILES[VICTIM][:-1])
    with pytest.raises(ValueError, match=f"{VICTIM}.*download it again"):
        load("mnist")
    download("mnist")
    assert mirror.asked[len(FILES) :] == [VICTIM]
    assert (folder / VICTIM).read_bytes() == FILES[VICTIM]


def test_a_wrong_hash_names_both_and_leaves_no_file(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files[VICTIM] = b"something else"
    with pytest.raises(ValueError, match=f"{VICTIM}.*hash.*HARMONIUM_MIRROR") as caught:
        download("mnist", tmp_path / "here")
    for content in (FILES[VICTIM], b"something else"):
        assert hashlib.sha256(content).hexdigest() in str(caught.value)
    left = {file.name for file in (tmp_path / "here").iterdir()}
    assert left < set(FILES) and VICTIM not in left


def test_a_broken_connection_leaves_no_file_and_the_download_can_be_repeated(mirror: Mirror, tmp_path: Path) -> None:
    mirror.cut = {VICTIM}
    with pytest.raises((OSError, ValueError), match=r"HARMONIUM_MIRROR"):
        download("mnist", tmp_path / "here")
    left = {file.name for file in (tmp_path / "here").iterdir()}
    assert left < set(FILES) and VICTIM not in left
    mirror.cut = set()
    download("mnist", tmp_path / "here")
    assert (tmp_path / "here" / VICTIM).read_bytes() == FILES[VICTIM]


def test_servers_without_the_file_and_servers_that_do_not_answer(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del mirror.files[VICTIM]
    with pytest.raises(OSError, match=f"{VICTIM} .*404.*HARMONIUM_MIRROR"):
        download("mnist", tmp_path / "here")
    monkeypatch.setenv("HARMONIUM_MIRROR", "http://127.0.0.1:1")
    with pytest.raises(OSError, match=r"HARMONIUM_MIRROR.*HARMONIUM_DATA"):
        download("mnist", tmp_path / "there")


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'mnits'.*known: mnist"):
        download("mnits")


def test_the_hashes_are_those_of_the_real_files(benchmark_data: Path) -> None:
    for name, digest in module.DOWNLOADS["mnist"].items():
        assert hashlib.sha256((benchmark_data / "mnist" / name).read_bytes()).hexdigest() == digest
