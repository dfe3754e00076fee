"""What holds for every test."""

from hypothesis import settings

# How long an example takes depends on who else is at work on the machine: time is measured in bench/, never here.
settings.register_profile("house", deadline=None)
settings.load_profile("house")
