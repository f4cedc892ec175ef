"""
A strict emulator of the VOD workflow calls, in process or on a socket, with a ledger.

The emulator is a second reading of the service's documents, so it imports nothing else of this
package.
"""

from pulumi_vod_workflow.emulator.app import create_app
from pulumi_vod_workflow.emulator.server import VodEmulator
from pulumi_vod_workflow.emulator.settings import EmulatorSettings

__all__ = ["EmulatorSettings", "VodEmulator", "create_app"]
