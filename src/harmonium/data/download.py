"""Downloads of named data sets into a cache, verified by hash, only on request."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["DOWNLOADS", "cache_folder", "download"]

MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"

# name -> file -> SHA-256
DOWNLOADS = {
    "mnist": {
        "train-images-idx3-ubyte.gz": "71524e2cd1ad2968737f7f2f2ff69cbfc32df8ccddff51593f7cb2d4e0eb5b64",
        "train-labels-idx1-ubyte.gz": "fe03b8bd7915f70bf5aa08be480aa413fbd85afcaa58b35d230d335f284fd88e",
        "t10k-images-idx3-ubyte.gz": "5634745efa576a17e7d4cf5cd9d09123c75e6538e5114267c2d156edaf519341",
        "t10k-labels-idx1-ubyte.gz": "ae18e77e031ccde52407f794d123116439864147d33ac992975f85dd4dc42af6",
    }
}


def cache_folder(name: str) -> Path:
    """Return the folder of a downloaded set: harmonium/name in the cache (on Linux $XDG_CACHE_HOME or ~/.cache)."""
    return Path(user_cache_path("harmonium", appauthor=False)) / name


def download(name: str = "mnist", folder: str | os.PathLike[str] | None = None, *, progress: bool = False) -> Path:
    """Download the files of a named set that are not there yet.

    A file is downloaded under a temporary name, checked by its hash, and renamed; a wrong file is deleted.  The
    environment variable HARMONIUM_MIRROR names another server: an address to which the names of the files are appended.

    Args:
        name: the name of the set, ``"mnist"``.
        folder: the folder to write to; None means the cache.
        progress: show a progress bar.

    Returns:
        The folder.

    Raises:
        ValueError: an unknown name, or a file that does not match its hash.
        OSError: the server cannot be reached, the connection breaks, or the file cannot be written.

    >>> download("mnist")  # doctest: +SKIP
    PosixPath('/home/me/.cache/harmonium/mnist')
    """
    if name not in DOWNLOADS:
        raise ValueError(f"{name!r} cannot be downloaded; known: {', '.join(sorted(DOWNLOADS))}")
    target = cache_folder(name) if folder is None else Path(folder)
    mirror = os.environ.get("HARMONIUM_MIRROR") or MIRROR
    for file, digest in DOWNLOADS[name].items():
        _fetch(mirror.rstrip("/") + "/" + file, file, digest, target, progress)
    return target


def _fetch(url: str, file: str, digest: str, target: Path, progress: bool) -> None:
    import pooch  # here, because it brings in an HTTP library

    elsewhere = "try again, name another server in HARMONIUM_MIRROR, or put the files into HARMONIUM_DATA"
    try:
        pooch.retrieve(
            url,
            known_hash=f"sha256:{digest}",
            fname=file,
            path=target,
            downloader=pooch.HTTPDownloader(progressbar=progress, timeout=30),
        )
    except ValueError as error:
        raise ValueError(f"{url} does not match its hash, so it was deleted: {error} {elsewhere}") from error
    except OSError as error:
        raise OSError(f"{url} could not be downloaded into {target}: {error}; {elsewhere}") from error
