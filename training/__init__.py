"""Train the style networks with torch: networks, losses, data, recipes and the training loop.

Imports neither `realtime` nor `export`; what it hands on is a checkpoint file (see `checkpoint.py`).
"""
