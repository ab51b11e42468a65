"""`python -m wiretape.cli` is the command."""

from wiretape.cli import main

main()
