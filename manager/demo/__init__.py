"""The demonstration: the main job from start to stop, on a private port.

    stage      which server and model it happens on: a real one if there is, else the simulator
    steps      what is shown, step by step
    play       runs the steps, with the time of each

How it looks is up to the command line; nothing here prints.
"""

from __future__ import annotations

from manager.demo.play import Audience, DemoReport, StepResult, play

__all__ = ["Audience", "DemoReport", "StepResult", "play"]
