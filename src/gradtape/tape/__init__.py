"""The tape (L3): GradientTape, custom rules, and the reasons for missing gradients.

Imports core and ops. Read `tape.py` first, then `reasons.py`.
"""
