"""Images as they are: the layers of a saved image, what they add up to, and what they waste. Knows nothing of Dockerfiles."""
