"""Input that others wrote, read within bounds: regular files only, of a stated size, depth and number of pixels."""
