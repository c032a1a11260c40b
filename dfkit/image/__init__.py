"""Images as they are: the layers of a saved image, what they add up to, and what they waste. Knows nothing of Dockerfiles."""

from __future__ import annotations

from dfkit.image.entry import Entry
from dfkit.image.flatten import Flat, flatten, hard_links
from dfkit.image.saved import Layer, SavedImage, base_layers
from dfkit.image.waste import LayerWaste, Waste, waste

__all__ = [
    "Entry",
    "Flat",
    "Layer",
    "LayerWaste",
    "SavedImage",
    "Waste",
    "base_layers",
    "flatten",
    "hard_links",
    "waste",
]
