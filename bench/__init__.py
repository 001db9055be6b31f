"""Benchmark of Embedway beside other embedding servers and libraries: `python -m bench --help`, `bench/README.md`."""
