"""
An emulator of the VOD workflow calls: strict, in process or on a socket, with a ledger.

It imports nothing else of this package: it is the contract, read a second time.
"""

from pulumi_vod_workflow.emulator.app import create_app
from pulumi_vod_workflow.emulator.server import VodEmulator
from pulumi_vod_workflow.emulator.settings import EmulatorSettings

__all__ = ["EmulatorSettings", "VodEmulator", "create_app"]
