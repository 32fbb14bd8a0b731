"""Templates of documents. They are Python files, since Salt carries no others with what is in gitfs."""
