"""NewStore appeasement refunds into NetSuite, exactly once."""
