"""The batch scripts of a search as a SLURM job array, and of the merge behind it.

They are plain sbatch scripts, made to be read, kept and submitted again, whole or for some tasks. submitit,
which was tried first, runs a pickled function named after the job: its script does not show what runs, no
single task of it can be submitted again, and for a job's state it needs SLURM's accounting.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from autoenc.errors import InputError
from autoenc.settings.slurm import CONTROL, SlurmSettings

__all__ = ["array_script", "merge_script", "refuse_line_breaks"]


def array_script(settings: SlurmSettings, options: Sequence[str], folder: Path) -> str:
    """Return what each task of the array runs.

    Args:
        settings: The options of the array.
        options: The options of the search.
        folder: Where results go, absolute.
    """
    parallel = f"%{settings.parallel}" if settings.parallel else ""
    lines = [
        *_head(settings, folder, "autoenc", "%A_%a"),
        f"#SBATCH --array=0-{settings.array - 1}{parallel}",
        f"#SBATCH --time={settings.time}",
        "#SBATCH --requeue",
        "#SBATCH --signal=B:USR1@60",
    ]
    shard = f'--shard="$SLURM_ARRAY_TASK_ID/{settings.array}"'
    journal = shlex.quote(f"{folder}/study.shard-") + f'"$SLURM_ARRAY_TASK_ID"-of-{settings.array}.journal'
    return "\n".join(lines) + _TASK.format(journal=journal, search=_search(settings, options), shard=shard)


_TASK = """

# A task trains its part of the grid and records each fit at once. SLURM signals a minute before the time
# limit and ahead of preemption; the search then stops in order and ends with 138 = 128 + SIGUSR1. The task
# queues itself again, and what is recorded is not trained again. If it recorded nothing in all
# its time, a fit takes longer than the time limit, and trying again would not end.
recorded() {{ grep -c '"architecture"' {journal} 2>/dev/null; }}
before=$(recorded)
{search} {shard} &
search=$!
trap 'kill -USR1 $search 2>/dev/null' USR1
trap 'kill -TERM $search 2>/dev/null' TERM
wait $search
code=$?
while kill -0 $search 2>/dev/null; do # a trap ends the wait, not the search
    wait $search
    code=$?
done
if [ $code -eq 138 ]; then
    if [ "$(recorded)" != "$before" ]; then
        scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID"
    else
        echo "not one fit was finished, so this task is not queued again; give it a longer --time" >&2
    fi
fi
exit $code
"""


def merge_script(settings: SlurmSettings, options: Sequence[str], folder: Path) -> str:
    """Return what runs when all tasks have ended: the merge, which fails and names what is missing.

    The search after it has nothing left to train but what a whole search does at its end: the best model,
    and with folds the loss on the test rows.
    """
    merge = shlex.join([sys.executable, "-m", "autoenc", "merge", str(folder), f"--output_dir={folder}"])
    lines = [
        *_head(settings, folder, "autoenc-merge", "%j-merge"),
        f"#SBATCH --time={settings.time}",
        "",
        f"{merge} &&",
        f"    {_search(settings, options)}",
    ]
    return "\n".join(lines) + "\n"


def _literal(path: Path) -> str:
    """Return a path in which SLURM puts nothing in the place of ``%j`` and the like."""
    return str(path).replace("%", "%%")


def _head(settings: SlurmSettings, folder: Path, name: str, log: str) -> list[str]:
    lines = [
        "#!/bin/bash",
        f"#SBATCH --job-name={name}",
        f"#SBATCH --chdir={shlex.quote(str(Path.cwd()))}",
        f"#SBATCH --output={shlex.quote(_literal(folder / 'slurm') + f'/{log}.log')}",
        "#SBATCH --open-mode=append",
        "#SBATCH --ntasks=1",
        f"#SBATCH --cpus-per-task={settings.cpus}",
    ]
    if settings.mem:
        lines.append(f"#SBATCH --mem={settings.mem}")
    if settings.partition:
        lines.append(f"#SBATCH --partition={settings.partition}")
    for word in settings.sbatch:
        name, mark, value = word.partition("=")
        lines.append(f"#SBATCH {name}{mark}{shlex.quote(value) if value else ''}")
    return lines


def _search(settings: SlurmSettings, options: Sequence[str]) -> str:
    # The same Python and the same autoenc as here, whatever the nodes' own environment says.
    return shlex.join([sys.executable, "-m", "autoenc", "search", *options, f"--jobs={settings.cpus}"])


def refuse_line_breaks(folder: Path, options: Sequence[str]) -> None:
    """Refuse whatever would end a line of a script: quotes keep no ``#SBATCH`` line together.

    Args:
        folder: Where results go, absolute.
        options: The options of the search, each one word.

    Raises:
        InputError: If a word that goes into the scripts holds a control character.
    """
    folders = {"--output_dir": str(folder), "current folder": str(Path.cwd()), "Python at": sys.executable}
    words = {f"{what} {name}": name for what, name in folders.items()}
    words |= {word: word for word in options if not word.startswith(("--output_dir", "--output-dir"))}
    problems = [
        f"{what}: holds a line break or another control character, which cannot stand in a batch script"
        for what, word in words.items()
        if CONTROL.search(word)
    ]
    if problems:
        raise InputError(problems)
