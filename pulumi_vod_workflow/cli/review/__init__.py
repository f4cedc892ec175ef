"""`vod-workflow review`."""
