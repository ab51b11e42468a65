"""What the pytest plugin is made of; imported when a test uses it, and not before.

`Taping` is the type of the fixture `wiretape`.
"""

from wiretape.testing.taping import Taping

__all__ = ["Taping"]
