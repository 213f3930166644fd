from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from autoenc.errors import InputError
from autoenc.record.lock import RecordLock, is_held

HOLD = "import sys, time; from pathlib import Path; from autoenc.record.lock import RecordLock\nwith RecordLock(Path(sys.argv[1])):\n print('held', flush=True); time.sleep(60)"  # noqa: E501


def test_a_second_process_is_told_who_holds_the_record(tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(journal)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert is_held(journal)
        with (
            pytest.raises(InputError, match=rf"process {holder.pid} on .*--output_dir$"),
            RecordLock(journal),
        ):
            pass
        holder.kill()
        holder.wait()
    for _ in range(50):  # the system gives the lock back when it has buried the process
        if not is_held(journal):
            break
        time.sleep(0.1)
    with RecordLock(journal):
        assert is_held(journal)
    assert not is_held(journal)
