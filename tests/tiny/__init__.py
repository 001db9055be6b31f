"""Tiny networks with random weights, in the real file formats: how a family is proved.

A *builder* (`builders/`) makes a model folder with the reference library's own classes, as that library saves it.
`make.py` runs the builders: it puts numbers into the weights that NumPy alone can make again (`weights.py`), asks the
reference library for its answers, and commits both as a *case* (`cases/NAME.json` with the folder's JSON files and the
tensors' names and shapes, `cases/NAME.npz` with the answers). So the ordinary tests need no torch: they write the
case's folder and compare. The parity tests run the builders anew.

    python -m tests.tiny.make [NAME …]      # needs what requirements/parity.txt lists
"""
