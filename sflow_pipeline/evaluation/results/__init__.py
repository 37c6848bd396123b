"""Results of an evaluation: scores, and their table, plot and files."""
