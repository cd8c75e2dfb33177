"""The program's input and output, whatever the caller has made of them: closed, a pipe without a reader, a full
disk."""

from __future__ import annotations

import io
import os
import sys
from typing import Any


class _Output(io.FileIO):
    """Notes why it could not be written: who catches the error cannot distinguish it from that of another file."""

    trouble = ""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            self.trouble = error.strerror or str(error)
            raise


def output_trouble() -> str:
    """Why the output could not be written; "" when it could. What waits to be written is thrown away then, so that the
    program's end does not fail at it once more."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if not isinstance(raw, _Output) or not raw.trouble:
        return ""
    silence_output()
    return raw.trouble


def silence_output() -> None:
    """From now on nothing that is written to the output fails, or is seen."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_standard_streams() -> None:
    """Those that the caller has closed (`>&-`) lead nowhere: without this a file that is opened later would have their
    number, and receive what is printed."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def watch_output() -> None:
    """Have `output_trouble` know. An argument that is no text in UTF-8 is shown escaped: a terminal cannot show it, and
    the sentence that refuses it must be."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.flush()
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(_Output(sys.stdout.fileno(), "w", closefd=False)),
            encoding=sys.stdout.encoding,
            errors=sys.stdout.errors,
            line_buffering=sys.stdout.line_buffering,
            write_through=sys.stdout.write_through,
        )
