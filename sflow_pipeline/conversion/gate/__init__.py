"""Scores of images against their labels, and the decision whether they are accepted."""
