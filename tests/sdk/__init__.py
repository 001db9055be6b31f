"""The vendors' own clients, unchanged, against a running server."""
