"""Motion of a sequence, and images blended along it."""
