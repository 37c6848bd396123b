"""One training run: the loop, checkpoints, logs, sample strips, and several processes on Ray."""
