"""The closed loop: what boards measured chooses the next candidate."""
