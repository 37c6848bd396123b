"""A job made complete: bundle, dump, label spaces, columns, splits and every setting that decides bytes."""
