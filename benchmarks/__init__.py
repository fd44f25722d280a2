"""Speed and memory as ratios measured in one run on one machine; absolute times mean nothing elsewhere."""
