"""Models that cost next to nothing: what any other has to be better than."""
