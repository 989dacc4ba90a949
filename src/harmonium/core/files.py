"""Atomic files: tensors with a description and a digest, written under a temporary name and then renamed."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harmonium.core.errors import DamagedFileError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "as_path",
    "check_seal",
    "read_json",
    "read_tensors",
    "sealed",
    "write_atomically",
    "write_json",
    "write_tensors",
]


def write_atomically(path: str | Path, *content: bytes | memoryview) -> None:
    """Write to a temporary name beside ``path``, flush to disk, rename: an earlier file is replaced whole or kept.

    Args:
        path: the file.
        *content: its parts, in their order.

    Raises:
        OSError: if the disk is full or the folder cannot be written, with a remedy.
    """
    path = Path(path)
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.chmod(temporary, 0o666 & ~_UMASK)
        with os.fdopen(handle, "wb") as file:
            file.writelines(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _flush_folder(path.parent)
    except BaseException as error:  # an interrupt leaves nothing behind either
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        if not isinstance(error, OSError):
            raise
        kept = "the earlier file is unchanged" if path.exists() else "nothing was written"
        raise OSError(
            error.errno, f"cannot write {path}: {error.strerror or error}; {kept}. Free space or choose another folder"
        ) from error


def _flush_folder(folder: Path) -> None:
    """Make a renamed file survive a power failure, where the system supports it."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _read_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


# Temporary files are private; the renamed file should have the permissions that open() gives.  The mask is read once,
# because reading it means changing it for a moment.
_UMASK = _read_umask()


def write_json(path: Path, content: Any) -> None:
    """Write JSON, whole or not at all."""
    write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        DamagedFileError: if the file does not hold any.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"{path} is damaged ({error}): use a copy of it") from None


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return content for a JSON file with its own digest, which `check_seal` verifies.

    >>> sorted(sealed({"a": 1}))
    ['a', 'digest']
    """
    return {**content, "digest": _digest_of(content)}


def check_seal(content: Mapping[str, Any], path: Path) -> None:
    """Verify the digest of what was read from a JSON file; files of earlier versions have none.

    Raises:
        DamagedFileError: the content is not that of the digest.
    """
    rest = {name: value for name, value in content.items() if name != "digest"}
    if "digest" in content and content["digest"] != _digest_of(rest):
        raise DamagedFileError(
            f"{path} is damaged (its contents do not match their digest): use a copy of it, or take out its entry "
            '"digest" if you have changed it yourself'
        )


def _digest_of(content: Mapping[str, Any]) -> str:
    # As it will be read again: tuples become lists, and keys strings.
    text = json.dumps(json.loads(json.dumps(content)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write tensors as safetensors, with JSON ``meta`` and a digest over both in the header.

    The same content gives the same bytes.
    """
    from safetensors.torch import save

    flat = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(meta, allow_nan=True)
    write_atomically(path, *_in_order(save(flat, {"harmonium": text, "digest": _digest(flat, text)})))


def as_path(path: Any, name: str) -> Path:
    """Return the path.

    Raises:
        TypeError: if it is none.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{name} must be the path of a file or a folder, found {path!r}")
    return Path(path)


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read (tensors, meta) back and verify the digest.

    Raises:
        FileNotFoundError: if there is no such file.
        DamagedFileError: if the file is not as `write_tensors` wrote it.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = as_path(path, "path")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    content = path.read_bytes()
    try:
        tensors = load(content)
        size = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + size]).get("__metadata__", {})
        text, digest = header["harmonium"], header["digest"]
    except KeyError:
        raise DamagedFileError(f"{path} is a safetensors file, but harmonium did not write it") from None
    except (SafetensorError, ValueError, UnicodeDecodeError, AttributeError) as error:
        raise DamagedFileError(f"{path} is cut short or damaged ({error}): use a copy of it") from None
    if _digest(tensors, text) != digest:
        raise DamagedFileError(f"{path} is damaged (its contents do not match their digest): use a copy of it")
    meta: dict[str, Any] = json.loads(text)
    return tensors, meta


def _in_order(content: bytes) -> tuple[bytes | memoryview, ...]:
    """Sort the header of a safetensors file: the order in which the library writes its metadata is random.

    Returns:
        The parts of the file, of which the tensors are not copied.
    """
    size = int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8 : 8 + size]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # tensors begin at a multiple of 8 bytes
    return len(header).to_bytes(8, "little"), header, memoryview(content)[8 + size :]


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    import numpy as np
    import torch

    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\x1f{name}\x1f{tensor.dtype}\x1f{tuple(tensor.shape)}\x1f".encode())
        # Hashed through a byte view: NumPy has no bfloat16.
        digest.update(np.ascontiguousarray(tensor.contiguous().reshape(-1).view(torch.uint8).numpy()).data)
    return digest.hexdigest()
