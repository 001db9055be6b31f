"""Embedway against the reference libraries, computed afresh. Run by `scripts/parity.sh`, not by the ordinary tests.

`test_minilm.py` uses the real model and the 500 texts. Every other family is one file, after the pattern of
`test_bert.py`: build a tiny network of that family with transformers, `tiny.write` it, `tiny.check` it.
"""
