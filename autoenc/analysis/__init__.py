"""Statistics of a search: which stack to select, effects, ties, baselines and intervals."""
