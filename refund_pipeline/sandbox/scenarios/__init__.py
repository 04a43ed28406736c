"""Named payment scenarios: what can happen to a refund, as data, and how it must end.

The YAML files say it, `model.py` what they may say, `library.py` reads them, `staging.py` makes
orders, sales and events of them, `timeline.py` plays these.
"""
