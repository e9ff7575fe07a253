"""A plugin that answers the same bytes to everybody: nothing in Python can be faster."""

import ctypes
import threading
from typing import Any

import orthanc

_TILE = bytes(32 << 10)
_thread = threading.local()


def _answer(output: orthanc.RestOutput, _uri: str, **_request: Any) -> None:
    if not hasattr(_thread, "is_kept"):  # see orthanc_stl_plugin.host.rest
        _thread.is_kept = True
        ctypes.pythonapi.PyGILState_Ensure()
    output.AnswerBuffer(_TILE, "image/jpeg")


orthanc.RegisterRestCallback("/constant", _answer)
