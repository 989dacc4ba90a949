"""Peak memory of training from mapped files, long ones and wide ones; print and store the results.

    python benchmarks/memory.py
    python benchmarks/memory.py --only wide

Makes a table of 784 binary columns as an .npy file of 8 GB (2^33 bytes) in a temporary folder, trains a small RBM on it
in a fresh process, and removes the file.  Then the same with a folder of eight files of 65,000 columns together, and an
RBM with 1,000 hidden units and 2,000 persistent chains.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import report
from launch import contend

LIMIT, WIDE_LIMIT = 10**9, 4 * 10**9  # bytes of peak resident memory
WIDTH, HIDDEN, BATCH = 784, 64, 100


def main() -> None:
    arguments = _arguments()
    for part in (long, wide):
        if arguments.only in (None, part.__name__):
            part(arguments)


def long(arguments: argparse.Namespace) -> None:
    """A file of many times the memory."""
    size = arguments.bytes or (2**24 if arguments.smoke else 2**33)
    updates = arguments.updates or (50 if arguments.smoke else 3000)
    warning = report.quiet()
    with tempfile.TemporaryDirectory(prefix="harmonium-memory-", dir=arguments.folder) as folder:
        free = shutil.disk_usage(folder).free
        if free < size + 2**30:
            sys.exit(
                f"{folder} has {report.gigabytes(free)} free; the table needs {report.gigabytes(size)} and 1 GB "
                "to spare: name another --folder"
            )
        path = Path(folder) / "table.npy"
        cases = size // WIDTH
        start = time.perf_counter()
        write_table(path, cases)
        took = report.duration(time.perf_counter() - start)
        print(f"wrote {cases:,} x {WIDTH} ({report.gigabytes(path.stat().st_size)}) in {took}", file=sys.stderr)
        spec = {"task": "mapped", "table": str(path), "updates": updates, "threads": arguments.threads}
        spec |= {"hidden": HIDDEN, "chains": BATCH, "batch": BATCH}
        answer = contend(sys.executable, "with_harmonium.py", spec)
    if "peak" not in answer:
        sys.exit(answer.get("stderr") or f"failed: {answer.get('failed') or answer.get('missing')}")
    updated = f"{updates:,} updates, {HIDDEN} hidden units, {updates * BATCH:,} cases from all over the file"
    measured = {
        "file, uint8 .npy": f"{report.gigabytes(size)}, {cases:,} x {WIDTH}",
        "of the peak, before training (Python, torch, harmonium)": report.gigabytes(answer["before"]),
        "first pass of `fit` (domain, means and variances of all cases)": report.duration(answer["first_pass"]),
        updated: report.duration(answer["training"]),
    }
    rows = [
        [
            "peak resident memory",
            report.gigabytes(answer["peak"]),
            "< 1 GB",
            "yes" if answer["peak"] < LIMIT else "**no**",
        ],
        *([what, value, "", ""] for what, value in measured.items()),
    ]
    versions = {name: {version} for name, version in answer["versions"].items()}
    text = "\n\n".join(
        [
            report.machine(arguments.threads, versions) + (f" **Not a quiet machine:** {warning}." if warning else ""),
            report.table(("training from a memory-mapped file", "measured", "must reach", "met"), rows),
            "The peak is the kernel's high-water mark of a fresh process (VmHWM), mapped pages of the file included. "
            "An epoch's order is a permutation of all cases, so every update reads rows from all over the file.",
        ]
    )
    print(text)
    if arguments.out or not arguments.smoke:
        print(f"\nwritten to {report.replace_section('memory', text, arguments.out)}", file=sys.stderr)


def wide(arguments: argparse.Namespace) -> None:
    """A wide model with many chains, from a folder of files."""
    cases, width, hidden, chains = (400, 640, 100, 200) if arguments.smoke else (4000, 65_000, 1000, 2000)
    updates, warning = 3, report.quiet()
    peaks = {}
    answer = {}
    with tempfile.TemporaryDirectory(prefix="harmonium-memory-", dir=arguments.folder) as folder:
        for number in range(8):
            write_table(Path(folder) / f"part-{number}.npy", cases // 8, width=width)
        spec = {"task": "wide", "table": folder, "updates": updates, "threads": arguments.threads}
        spec |= {"hidden": hidden, "chains": chains, "batch": BATCH}
        ways = {"sgd": {}, "sgd, chains as floats": {"floats": True}, "momentum, run folder": {"momentum": True}}
        for name, more in ways.items():
            answer = contend(sys.executable, "with_harmonium.py", spec | more)
            if "peak" not in answer:
                sys.exit(answer.get("stderr") or f"failed: {answer.get('failed') or answer.get('missing')}")
            peaks[name] = answer
    same = peaks["sgd"]["digest"] == peaks["sgd, chains as floats"]["digest"]
    rows = [
        [
            name,
            report.gigabytes(found["peak"]),
            report.gigabytes(found["built"]),
            report.duration(found["update"]),
            report.duration(found["processor"]),
            "< 4 GB",
            "yes" if found["peak"] < WIDE_LIMIT else "**no**",
        ]
        for name, found in peaks.items()
    ]
    versions = {name: {version} for name, version in answer["versions"].items()}
    header = (
        f"RBM({width:,}, {hidden:,}), PCD with {chains:,} chains", "peak resident memory", "after building the model",
        "an update", "processor time", "must reach", "met",
    )  # fmt: skip
    text = "\n\n".join(
        [
            report.machine(arguments.threads, versions) + (f" **Not a quiet machine:** {warning}." if warning else ""),
            report.table(header, rows),
            f"{cases:,} cases in 8 .npy files of bytes, {report.gigabytes(cases * width)}, batches of {BATCH}, medians "
            f"of {updates} updates. Weights, their gradient and their last good copy take "
            f"{report.gigabytes(4 * width * hidden)} each, momentum as much again; chains "
            f"{report.gigabytes(4 * chains * width)} as floats and a quarter of that as bytes. With chains as floats "
            f"the trained model has {'the same' if same else '**other**'} bits. The peak is the kernel's high-water "
            "mark of a fresh process, what is imported and mapped included.",
        ]
    )
    print(text)
    if arguments.out or not arguments.smoke:
        print(f"\nwritten to {report.replace_section('memory-wide', text, arguments.out)}", file=sys.stderr)


def write_table(path: Path, cases: int, block: int = 1 << 16, width: int = WIDTH) -> None:
    """Random 0/1 bytes, a quarter of them ones, written block by block."""
    rng = np.random.default_rng(0)
    header = {"descr": "|u1", "fortran_order": False, "shape": (cases, width)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for first in range(0, cases, block):
            values = min(block, cases - first) * width
            words = np.frombuffer(rng.bytes(2 * (values // 8)), dtype=np.uint8).reshape(2, -1)
            file.write(np.unpackbits(words[0] & words[1]).tobytes())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", choices=("long", "wide"), help="one of the two parts")
    parser.add_argument("--folder", type=Path, help="where to make the file (default: the system's temporary folder)")
    parser.add_argument("--bytes", type=int, help="size of the table (default: 2^33)")
    parser.add_argument("--updates", type=int, help="updates to train (default: 3000)")
    parser.add_argument("--threads", type=int, default=2, help="threads (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="16 MB and 50 updates; printed, not stored")
    parser.add_argument("--out", type=Path, help="page to write (default: the one that has the table)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
