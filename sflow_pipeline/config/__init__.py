"""Recipes and jobs: typed settings, read from YAML."""
