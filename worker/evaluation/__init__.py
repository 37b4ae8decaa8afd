"""How well models do on annotated pictures: `python -m worker.evaluation`, or `mainmask evaluate`."""
