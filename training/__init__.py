"""Train the style networks with torch: networks, losses, data, recipes and the training loop.

Imports neither `realtime` nor `export`; what it hands on is `network.safetensors` in the folder of a run, weights with
all that is known of how they came about as metadata (`loop.py`). `session.train` is the way in for other code.
"""
