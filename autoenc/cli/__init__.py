"""The command line: verbs, flags made from the options, and the exit codes."""
