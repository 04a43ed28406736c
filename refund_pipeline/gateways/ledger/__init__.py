"""The ledger: what has landed, what was decided about each refund, and what was posted."""
