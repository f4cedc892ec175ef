"""`vod-workflow plugin`: the packaged provider of this environment."""
