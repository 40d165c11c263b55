"""`python -m training <command> <recipe>`: pre-train, fine-tune, export, measure."""

import sys

from training.commands.main import main

sys.exit(main())
