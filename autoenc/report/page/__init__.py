"""One HTML file with all that a search found, which opens without a network."""
