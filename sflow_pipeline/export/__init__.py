"""Hands a dataset on in the layouts that other tools read."""
