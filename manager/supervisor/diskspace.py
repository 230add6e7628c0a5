"""Room on a disk, set aside for one file: a full disk then does not stop what writes it."""

from __future__ import annotations

import errno
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["reserve"]

_KEEP_SIZE = 1
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def reserve(fd: int, size: int) -> bool:
    """Set room aside for the first bytes of a file, which stays as long as it is.

    Where the file system cannot do that (NFS, macOS), there is only a look at what is free now.

    Args:
        fd: The file, open for writing.
        size: How many bytes, from its beginning.

    Returns:
        Whether there is room.
    """
    failure = _allocate(fd, size)
    if failure == 0 or failure in _FULL:
        return failure == 0
    try:
        disk = os.fstatvfs(fd)
        return disk.f_bavail * disk.f_frsize >= size - os.fstat(fd).st_size
    except OSError:
        return True  # it cannot be told


def _allocate(fd: int, size: int) -> int:
    """Return the error number of the system call, 0 for success."""
    if _fallocate is None:
        return errno.EOPNOTSUPP
    while _fallocate(fd, _KEEP_SIZE, _offset(0), _offset(size)) != 0:
        failure = ctypes.get_errno()
        if failure != errno.EINTR:
            return failure
    return 0


_fallocate: Any = None
if sys.platform == "linux":
    import ctypes

    _libc = ctypes.CDLL(None, use_errno=True)
    # Where there is no `fallocate64`, the plain one takes offsets of 64 bits.
    _fallocate = getattr(_libc, "fallocate64", None) or getattr(_libc, "fallocate", None)
    _offset = ctypes.c_int64
