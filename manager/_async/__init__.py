"""The async shell: the source that the sync shell is generated from (``./codegen.sh``)."""
