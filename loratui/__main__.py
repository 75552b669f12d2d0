"""`python -m loratui` is the same thing as `loratui`."""

from loratui.cli import main

if __name__ == "__main__":
    main()
