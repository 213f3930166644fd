"""A SLURM cluster of one node on this machine: its daemons, their files and ports are its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue", "scancel")

CONFIGURATION = """
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=6
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
KillWait=10
SchedulerParameters=batch_sched_delay=0,sched_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
NodeName=here NodeHostname={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes=here Default=YES MaxTime=INFINITE State=UP
"""


@contextlib.contextmanager
def slurm_cluster() -> Iterator[Path]:
    """Start the cluster, give its slurm.conf, and end its processes; skips where that cannot be."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)} here (Debian packages slurm-wlm and munge)")
    if os.geteuid() != 0:
        pytest.skip("starting SLURM's daemons takes root")
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # short: the path of a socket must be
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        configuration = _start(folder, daemons)
        yield configuration
        _ask(configuration, "scancel", "--user=root")
        wait_for(lambda: not _ask(configuration, "squeue", "--noheader"))
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            try:
                daemon.wait(15)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path, daemons: list[subprocess.Popen[bytes]]) -> Path:
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key, configuration = folder / "munge.key", folder / "slurm.conf"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        ports = one.getsockname()[1], other.getsockname()[1]
    host = socket.gethostname().partition(".")[0]
    configuration.write_text(CONFIGURATION.format(folder=folder, ports=ports, host=host))

    def daemon(*command: object) -> None:
        with (folder / f"{command[0]}.log").open("wb") as log:
            environment = {**os.environ, "SLURM_CONF": str(configuration)}
            words = [str(word) for word in command]
            daemons.append(subprocess.Popen(words, stdout=log, stderr=log, env=environment))

    daemon("munged", "--foreground", "--force", "--key-file", key, "--socket", folder / "munge.socket",
           "--pid-file", folder / "munged.pid", "--log-file", folder / "munge.log",
           "--seed-file", folder / "munge.seed")  # fmt: skip
    wait_for((folder / "munge.socket").exists, 20)
    daemon("slurmctld", "-D", "-i")
    daemon("slurmd", "-D", "-N", "here")
    try:
        wait_for(lambda: "idle" in _ask(configuration, "sinfo", "--noheader"), 40)
    except AssertionError:
        logs = {log.name: log.read_text(errors="replace")[-500:] for log in folder.glob("*.log")}
        pytest.skip(f"SLURM does not start here: {logs}")
    return configuration


def _ask(configuration: Path, *command: str) -> str:
    environment = {**os.environ, "SLURM_CONF": str(configuration)}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    return run.stdout


def wait_for(condition, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.1)
