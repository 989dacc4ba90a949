"""Type checkers see every public name, as users' editors do."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import harmonium as hm

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """
import harmonium as hm

reveal_type(hm.RBM(4, 2))
reveal_type(hm.fit(hm.RBM(4, 2), [[0, 1, 1, 0]]))
reveal_type(hm.data.load("digits").train)
reveal_type(hm.schedules.Linear(0.1))
hm.fit(hm.RBM(4, 2), [[0, 1, 1, 0]], epoch=2)
hm.evaluate(hm.RBM(4, 2), [[0, 1, 1, 0]], temperature=2)
hm.WeightDecay(1e-4)
"""


def test_editors_know_what_a_call_returns_and_which_arguments_it_takes(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy comes with the extra dev")
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(tmp_path / "program.py")]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    lines = [line for line in found.splitlines() if "Revealed" in line]
    revealed = [line.rpartition('Revealed type is "')[2].rstrip('"') for line in lines]
    assert [name.rpartition(".")[2] for name in revealed] == ["RBM", "History", "Cases", "Linear"]
    errors = [line for line in found.splitlines() if ": error: " in line]
    assert len(errors) == 3, found
    assert '"epoch"' in errors[0] and '"temperature"' in errors[1] and "WeightDecay" in errors[2]


def test_the_stub_and_the_package_hold_the_same_names() -> None:
    stub = ast.parse((ROOT / "src" / "harmonium" / "__init__.pyi").read_text())
    names = {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert names == set(hm.__all__) == set(dir(hm)) - {"__version__"}
    assert all(getattr(hm, name) is not None for name in sorted(names))
    assert len([name for name in names if not name.islower() or callable(getattr(hm, name))]) < 52


@pytest.mark.parametrize("name", ["WeightDecay", "Linear", "to_onnx", "Independent", "Monitor"])
def test_a_name_that_lives_in_a_namespace_is_pointed_to(name: str) -> None:
    with pytest.raises(AttributeError, match=rf"it is harmonium\.\w+\.{name}"):
        getattr(hm, name)
    with pytest.raises(AttributeError, match=r"no attribute 'Nothing'$"):
        hm.Nothing  # noqa: B018
