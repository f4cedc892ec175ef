"""Files that the Pulumi engine writes."""
