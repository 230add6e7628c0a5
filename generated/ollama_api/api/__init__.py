"""Request builders, one package a tag and one module an operation."""
