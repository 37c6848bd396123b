"""Reads finished datasets: row by row at random, as a shuffled stream for many workers, or in order."""
