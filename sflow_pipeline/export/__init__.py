"""Export of a finished dataset to the layouts of other tools."""
