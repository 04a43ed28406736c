"""Cells for spreadsheets: text of other systems, like order ids and stores, is never a formula."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def harmless(value: object) -> object:
    """Return a cell that a spreadsheet takes for text, where the value is text."""
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return "'" + value
    return value
