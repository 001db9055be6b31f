"""The reference vectors: 500 texts, what sentence-transformers makes of them, and how to compare."""
