"""What a run has to do: the shards that it converts, keeps and removes, and what of the dataset changes."""
