"""`vod-workflow recover`."""
