"""`hilbench ship`: search, settings and confirmation in one command, and a folder for each board."""
