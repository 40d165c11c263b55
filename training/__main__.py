"""`python -m training <command> <recipe>`: pre-train, fine-tune, export, measure."""

import sys

from training.commands import main

sys.exit(main())
