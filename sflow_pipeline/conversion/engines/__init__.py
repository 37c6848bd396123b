"""Engines: where shards are converted, in this process or on Ray actors, and what they share."""
