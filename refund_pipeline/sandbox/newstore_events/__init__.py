"""NewStore's Event Stream: integrations, delivery by webhook and S3 export, replay, observability.

`stream.py` is what tests and demos hold in their hands (`NewStoreSandbox.stream`); `api.py` is the
REST surface. Contract sections 1.1 to 1.4.
"""
