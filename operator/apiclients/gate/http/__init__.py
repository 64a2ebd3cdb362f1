"""The HTTP edge: protocol, paths, forms, replies, documents."""
