"""Tables: reading, scaling, frames of any kind, and the division of rows into folds."""
