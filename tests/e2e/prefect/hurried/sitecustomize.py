"""Runs at the start of each Python program that has this folder in PYTHONPATH: who does not answer is given up soon.

A sync waits ten minutes for an appliance that has gone away. Here it tries three times, without waiting.
"""

import stamina

stamina.set_testing(True, attempts=3, cap=True)
