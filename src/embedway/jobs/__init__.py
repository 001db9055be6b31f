"""Durable background tasks: they outlive the process that accepted them."""
