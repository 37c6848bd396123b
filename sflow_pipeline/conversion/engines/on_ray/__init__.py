"""Ray as an engine: workers that convert shards, workers that count labels, and what goes wrong there."""
