"""Commands as tests call them."""

from __future__ import annotations

from typing import Any

from click.testing import CliRunner, Result

from harmonium.cli import main


def call(*arguments: Any) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(result: Result, *words: str) -> str:
    """Check for exit code 2 and one line that names all of these words; notes may come before it."""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("harmonium: note: ")]
    assert result.exit_code == 2, result.output
    assert len(lines) == 1 and lines[0].startswith("harmonium: "), result.stderr
    assert "Traceback" not in result.output and "Errno" not in lines[0]
    for word in words:
        assert word in lines[0]
    return lines[0]
