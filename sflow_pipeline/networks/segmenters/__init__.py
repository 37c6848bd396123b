"""Segmenters, by the name that a recipe gives."""
