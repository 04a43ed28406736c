"""NewStore, NetSuite and S3 on loopback, for trying, developing and testing.

The sandbox imports nothing from `domain`, `gateways` or `orchestration`: a mistake there must not
hide here.
"""
