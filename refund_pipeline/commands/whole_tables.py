"""Tables of which a narrow terminal leaves nothing out: lines break where Rich would cut digits."""

from rich.console import Console
from rich.table import Table

_ANY_WIDTH = 1_000


def print_whole(console: Console, table: Table) -> None:
    """Print a table as wide as its longest lines are."""
    needed = console.measure(table, options=console.options.update_width(_ANY_WIDTH)).maximum
    (console if needed <= console.width else Console(width=needed)).print(table)
