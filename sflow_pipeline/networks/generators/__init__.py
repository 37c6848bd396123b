"""Generators, by the name that a recipe gives."""
