"""The appearance map that the generator is given, and what of the render its images keep."""
