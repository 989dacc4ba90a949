"""Time the default test suite as a whole process, and put the seconds into docs/benchmarks.

python benchmarks/suite.py
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import report


def main() -> None:
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "auto"], cwd=report.ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - begun
    closing = done.stdout.strip().splitlines()[-1]
    if done.returncode:
        sys.exit(f"the suite failed, so its time means nothing: {closing}")
    text = f"The default test suite took {seconds:.0f} s: {closing.split(' in ')[0]}."
    print(f"{text} (must: below 300 s)")
    report.replace_section("suite", f"{text}\n\n{report.machine(2, {})}")


if __name__ == "__main__":
    main()
