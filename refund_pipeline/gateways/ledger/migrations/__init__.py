"""The ledger's schema, step by step (Alembic); `database.py` runs it on first use."""
