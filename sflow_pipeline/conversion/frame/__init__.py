"""One frame from its files: read, checked, decoded."""
