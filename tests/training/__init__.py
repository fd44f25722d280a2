"""Tests of the training, on pictures of a few pixels; they skip without torch."""
