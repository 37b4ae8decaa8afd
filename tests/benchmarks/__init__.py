"""Speed and memory, as ratios measured in one run. Not tests: nothing here fails on a slow machine."""
