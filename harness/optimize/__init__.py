"""The settings with which a file runs best on a board: tried, confirmed, kept, and used again where a plan asks."""
