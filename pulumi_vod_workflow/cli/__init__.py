"""The console command `vod-workflow`: future starts of a stack, and its runs."""
