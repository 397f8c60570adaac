"""The command line, plans, runs and the store: the only package that knows the other three."""
