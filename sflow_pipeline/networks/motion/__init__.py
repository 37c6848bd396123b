"""Optical flow, warping along it, and the check of stated motion."""
