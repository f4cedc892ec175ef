"""The only folder that touches private parts of Pulumi's SDK."""
