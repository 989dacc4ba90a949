"""Processes: what they send each other, and how they do not meet."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from ..processes import launch


def test_messages_arrive_whole(tmp_path: Path) -> None:
    script = """
    from harmonium.core.processes import ALONE, alone, processes

    own = processes()
    long = "x" * 5000
    assert own.told({"from": own.rank, "text": long, "number": 0.1}) == {"from": 0, "text": long, "number": 0.1}
    assert own.told([None, float("inf")]) == [None, float("inf")]
    assert own.everyones("y" * own.rank) == ["", "y", "yy"]
    rows = torch.full((own.rank, 2), own.rank, dtype=torch.int64)
    assert own.gather(rows).tolist() == [[1, 1], [2, 2], [2, 2]]
    assert own.by_first(lambda: processes().size) == 1  # what one does alone, it does alone
    with alone():
        assert processes() is ALONE
    assert processes().size == 3
    """
    assert launch(script, [3], tmp_path)[3] == ["0\n"] * 3


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(taken.getsockname()[1])}
        found = subprocess.run(
            [sys.executable, "-c", "from harmonium.core.processes import processes; processes()"],
            env=os.environ | place | {"RANK": "0", "WORLD_SIZE": "2"},
            capture_output=True,
            text=True,
        )
    assert f"the port 127.0.0.1:{place['MASTER_PORT']} is in use by another program" in found.stderr
    assert "torchrun --master-port PORT" in found.stderr
