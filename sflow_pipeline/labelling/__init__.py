"""Labels of unlabelled real photos and videos, predicted by a bundle's segmenter."""
