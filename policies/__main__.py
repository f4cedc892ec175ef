"""The policy pack: `pulumi preview --policy-pack policies`; see README.md."""

from pulumi_policy import PolicyPack

from vod_policies.pack import POLICIES

PolicyPack("vod-workflow", POLICIES)
