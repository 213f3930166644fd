"""The parts of the stacked engine: networks of one depth, padded to common widths and trained together."""
