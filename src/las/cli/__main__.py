"""`python -m las.cli` is `las`."""

import sys

from las.cli import main

sys.exit(main())
