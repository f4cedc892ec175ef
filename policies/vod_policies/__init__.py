"""Policies for runs of pulumi_vod_workflow; `pack` lists them."""
