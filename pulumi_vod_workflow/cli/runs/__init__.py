"""`vod-workflow runs`."""
