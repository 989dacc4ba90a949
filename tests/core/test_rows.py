from __future__ import annotations

import pytest

from harmonium.core.rows import evenly_spaced


@pytest.mark.parametrize(("total", "count"), [(10, 10), (10, 3), (60_000, 1000), (7, 1), (1, 1), (3, 9)])
def test_rows_are_even_within_one(total: int, count: int) -> None:
    rows = evenly_spaced(total, count)
    assert len(rows) == count and rows[0] == 0 and (count == 1 or rows[-1] == total - 1)
    if count > 1:
        gaps = rows.diff()
        assert gaps.max() - gaps.min() <= 1 and (gaps.min() > 0 or count > total)
