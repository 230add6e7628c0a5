# generated from manager/_async/__init__.py by codegen.sh - do not edit
"""The sync shell."""
