"""Benchmarks of a bundle on this machine: every stage of a conversion beside what the machine can do at most."""
