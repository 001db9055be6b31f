"""Embedway: a self-hosted server for embeddings that speaks the wire formats people already use."""

__version__ = "0.1.0"
