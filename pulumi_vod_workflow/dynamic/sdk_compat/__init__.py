"""
The only folder that touches private parts of Pulumi's SDK: one module for each part.

Each module states what the part buys, what happens without it, and the SDK releases it was tested
on. Each looks for its part before the part is used, so an SDK without the part works as well.
`docs/sdk-parts.md` lists the modules; `tests/dynamic/test_sdk_compat.py` tests both ways.
"""
