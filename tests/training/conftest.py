"""Keeps torch's structured trace quiet: pytest's log capture would make it format every graph it meets."""

import logging

logging.getLogger("torch.__trace").setLevel(logging.WARNING)
