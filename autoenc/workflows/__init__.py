"""The work of the public functions, from options and a table to a result; commands call the same."""
