"""The parts that the hosts of the lifecycle share: operations, the engine's log, its end."""
