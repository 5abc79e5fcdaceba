"""Training and validation splits in a directory of the user's, in the layouts that are about."""

from las.splits.glue import read_split

__all__ = ["read_split"]
