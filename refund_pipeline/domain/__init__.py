"""What a refund is and when it may be posted: pure Python, no I/O, no Dagster, no own clock."""
