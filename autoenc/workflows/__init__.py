"""What the public functions do, from options and a table to a result; commands and Python call the same."""
