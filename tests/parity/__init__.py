"""Embedway against the reference libraries, computed afresh. Run by `scripts/parity.sh`, not by the ordinary tests.

`test_minilm.py` uses the real model and the 500 texts, `test_cases.py` the tiny models of `tests/tiny`.
"""
