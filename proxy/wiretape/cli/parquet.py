"""Tables into Parquet files, with pyarrow, which is an extra.

Knows types and files; what is in the tables is for `analysis.tables`.
"""

from __future__ import annotations

import contextlib
import importlib
from typing import TYPE_CHECKING, Any

from wiretape.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_GROUP_ROWS = 20_000


def available() -> Any:
    """Pyarrow.

    Raises:
        UsageError: it is not installed.
    """
    try:
        importlib.import_module("pyarrow.parquet")
        return importlib.import_module("pyarrow")
    except ImportError:
        raise UsageError(
            "--format parquet needs pyarrow; install it with: pip install 'wiretape[parquet]'"
        ) from None


class Table:
    """A Parquet file that is written a group of rows at a time.

    Args:
        path: the file, made anew.
        columns: names to types, as in `analysis.tables`.
    """

    def __init__(self, path: Path, columns: dict[str, str]) -> None:
        arrow = available()
        types = {
            "text": arrow.string(),
            "texts": arrow.list_(arrow.string()),
            "int": arrow.int64(),
            "float": arrow.float64(),
            "bool": arrow.bool_(),
            "bytes": arrow.binary(),
            "time": arrow.timestamp("us", tz="UTC"),
        }
        self._arrow = arrow
        self._schema = arrow.schema([(name, types[kind]) for name, kind in columns.items()])
        self._writer = arrow.parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Write rows, at the latest when the table is closed."""
        for row in rows:
            self._rows.append({name: _sound(value) for name, value in row.items()})
            if len(self._rows) >= _GROUP_ROWS:
                self._flush()

    def close(self) -> None:
        """Write what is left and the file's end."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        rows, self._rows = self._rows, []
        if rows:
            self._writer.write_table(self._arrow.Table.from_pylist(rows, schema=self._schema))


def _sound(value: Any) -> Any:
    """Text without lone surrogates, which Parquet's UTF-8 cannot hold."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="backslashreplace").decode()
    if isinstance(value, list):
        return [_sound(each) for each in value]
    return value


@contextlib.contextmanager
def tables(paths: dict[Path, dict[str, str]]) -> Iterator[list[Table]]:
    """Several tables, closed together."""
    opened = [Table(path, columns) for path, columns in paths.items()]
    try:
        yield opened
    finally:
        for table in opened:
            table.close()
