"""The rules of a run's inputs."""
