"""What a run does, one module per asset: ledger and gateways in, a summary out. No Dagster here.

Every step is level-triggered: it looks at what has landed and what the ledger knows and does what
is missing, so that it is always safe to repeat and cheap when there is nothing to do.
"""
