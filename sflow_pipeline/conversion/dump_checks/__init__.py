"""Checks of a dump before its conversion: files that contradict each other, labels that are not what they seem."""
