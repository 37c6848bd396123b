"""Evaluation of converted datasets beside real photos.

``photos`` reads pictures with labels, ``reference_networks`` the networks that users bring; ``measures`` takes evidence
from every picture and scores it, ``results`` has the scores and their table, plot and files. ``evaluate`` runs them.
"""
