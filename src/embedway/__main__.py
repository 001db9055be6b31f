"""`python -m embedway` is the command `embedway`."""

from embedway.cli.main import main

main()
