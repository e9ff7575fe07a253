#!/usr/bin/env python3
"""Ends well if Orthanc answers; 401 is an answer too, of a server that asks for a password."""

import os
import urllib.error
import urllib.request

try:
    urllib.request.urlopen(
        f"http://127.0.0.1:{os.environ.get('HTTP_PORT') or 8042}/system", timeout=4
    )
except urllib.error.HTTPError as error:
    if error.code != 401:
        raise
