"""Programs that run inside the rivals' virtual environments, one process each, spoken to over a pipe (`bench.pipe`)."""
