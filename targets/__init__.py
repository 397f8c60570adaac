"""Boards: inventory, connections, emulation, deployment, and the agent that runs on the board."""
