"""Task detection: boxes around countable objects, found by a small anchor-free network."""
