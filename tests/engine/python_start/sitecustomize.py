"""
Have Python collect garbage less often in the processes of an engine's command.

Python imports this module at its start. Such a process lives for a second, and the collections take
a twentieth of its processor time. `make bench` and users have Python's own thresholds.
"""

import gc

gc.set_threshold(100_000, 50, 50)
