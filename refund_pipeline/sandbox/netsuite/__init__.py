"""A strict stand-in for NetSuite's REST web services, served on loopback.

Where the contract does not know how NetSuite behaves, this package is the stricter of the two.
"""
