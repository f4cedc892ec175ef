"""The console command `vod-workflow`: what a stack would start, and what became of its runs."""
