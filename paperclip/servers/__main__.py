"""Becomes one of the embedded servers; see paperclip.servers."""

import sys

from paperclip.servers import become
from paperclip.servers.binaries import Unavailable

try:
    become(sys.argv[1], sys.argv[2:])
except Unavailable as reason:
    sys.exit(str(reason))
