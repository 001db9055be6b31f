"""What stands on the wire: requests of real clients and of the vendors' documents, and the answers they get."""
