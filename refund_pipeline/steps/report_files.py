"""The report as files: a CSV per table and one workbook with a sheet per table.

Text that a spreadsheet would take for a formula is written so that it stays text: order ids, stores
and reasons come from other systems.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from refund_pipeline.domain.spreadsheets import harmless
from refund_pipeline.steps.report import Report, totals

if TYPE_CHECKING:
    import pandas as pd

_WIDEST = 44


def report_files(report: Report) -> Mapping[str, bytes]:
    """Return the files by name."""
    tables = {"totals": totals(report), **report.tables}
    files = {f"{name}.csv": _csv(table) for name, table in tables.items()}
    return {"refunds.xlsx": _workbook(tables), **files}


def _csv(table: "pd.DataFrame") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(table.columns)
    for row in _rows(table):
        writer.writerow([harmless(value) for value in row])
    return text.getvalue().encode()


def _workbook(tables: "Mapping[str, pd.DataFrame]") -> bytes:
    from openpyxl import Workbook
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook()
    book.remove(book.active)
    for name, table in tables.items():
        sheet = book.create_sheet(name)
        names = [str(column) for column in table.columns]
        sheet.append(names)
        for row in _rows(table):
            sheet.append(row)
        for cell in sheet[1]:
            cell.font = Font(bold=True)
        for column, cells in zip(names, sheet.columns, strict=True):
            for cell in cells[1:]:
                _format(cell)
            longest = max(len(str(cell.value)) for cell in cells)
            width = min(max(longest, len(column)) + 2, _WIDEST)
            sheet.column_dimensions[get_column_letter(cells[0].column)].width = width
        sheet.freeze_panes = "A2"
        sheet.auto_filter.ref = sheet.dimensions
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def _format(cell: "object") -> None:
    value = cell.value  # type: ignore[attr-defined]
    if isinstance(value, str):
        cell.data_type = "s"  # type: ignore[attr-defined]  # never a formula
    elif isinstance(value, Decimal):
        digits = -int(value.as_tuple().exponent)
        cell.number_format = "#,##0" + ("." + "0" * digits if digits > 0 else "")  # type: ignore[attr-defined]


def _rows(table: "pd.DataFrame") -> Iterable[list[object]]:
    return (list(row) for row in table.itertuples(index=False, name=None))
