"""Discriminators of training."""
