"""Settings, credentials and endpoints."""
