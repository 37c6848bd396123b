"""From a simulator dump to a dataset: index, shards, workers, commits and proof."""
