"""hilbench: which compressed model to ship on which board, measured on the board."""
