"""What can be wrong with an index on disk."""

from kb.errors import Unavailable


class IndexDamaged(Unavailable):
    """A file is torn, missing or altered. The index holds nothing that the database does not: build it anew."""

    code = "index_damaged"


class IndexMismatch(Unavailable):
    """The index was made from another database, or with another embedder or analyzer."""

    code = "index_mismatch"
