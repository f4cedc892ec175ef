"""The classes that programs declare, and the types of their outputs."""
