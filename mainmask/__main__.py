"""`python -m mainmask` is the command `mainmask`."""

from mainmask.cli import main

main()
