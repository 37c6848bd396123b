"""Inspection of a dump before it is converted: contents, label mapping, problems, cost of a conversion."""
