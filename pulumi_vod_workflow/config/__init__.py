"""Settings, credentials, endpoint and clock."""
