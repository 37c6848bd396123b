"""Images of frames: their look, their translation, and what holds over a sequence and a rig."""
