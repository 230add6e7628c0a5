from typing import Literal, TypeAlias

FormatName: TypeAlias = Literal["json",]
"""The output format that has a name, any valid JSON."""
