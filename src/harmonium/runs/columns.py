"""The columns of a table in a run folder, so that the run does not need the table later."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harmonium.core.errors import DamagedFileError
from harmonium.core.files import check_seal, read_json, sealed, write_json
from harmonium.runs.names import COLUMNS

if TYPE_CHECKING:
    from harmonium.data.table import Table

__all__ = ["keep_columns", "kept_columns"]


def keep_columns(table: Table | None, folder: Path) -> None:
    """Write what the columns are, if there is a table.

    Raises:
        TypeError: a label that JSON does not have, such as a date.
    """
    if table is not None:
        write_json(folder / COLUMNS, [sealed(column) for column in table.config()])


def kept_columns(folder: Path) -> Table | None:
    """Read what the columns are; None if the folder does not say it.

    Raises:
        DamagedFileError: if the file is damaged.
    """
    from harmonium.data.table import Table

    path = folder / COLUMNS
    if not path.is_file():
        return None
    try:
        entries = read_json(path)
        for entry in entries:
            check_seal(entry, path)
        return Table.from_config(entries)
    except DamagedFileError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedFileError(f"{path} is damaged ({error}): use a copy of it") from None
