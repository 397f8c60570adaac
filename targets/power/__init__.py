"""Meters: what samples watts while a window runs, and the arithmetic from samples to joules with an uncertainty."""
