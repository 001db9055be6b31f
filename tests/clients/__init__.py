"""The vendors' own clients, unchanged, each in a virtual environment of its own.

The `use_*.py` scripts run in those environments, know nothing of pytest, and print a report that `tests/sdk` reads.
"""
