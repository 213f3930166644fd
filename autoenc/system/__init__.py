"""Files, processes, memory, streams and the terminal: what every other folder may use."""
