from typing import Literal, TypeAlias

ThinkLevel: TypeAlias = Literal[
    "high",
    "low",
    "max",
    "medium",
]
"""How hard a model thinks that knows levels. A model that knows fewer takes the nearest."""
