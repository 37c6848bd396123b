"""Worth of converted frames for training: one network trained on several sets of pictures, tested on real photos."""
