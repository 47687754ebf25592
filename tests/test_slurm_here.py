"""The Slurm that other tests ask does what a supercomputer centre's does."""

from __future__ import annotations

import subprocess
import sys

from slurm_here import states, submit, wait_for

pytest_plugins = ["slurm_here"]


def test_every_task_of_an_array_sees_one_gpu(slurm, tmp_path):
    script = tmp_path / "array.sh"
    script.write_text(
        "#!/bin/bash\necho $CUDA_VISIBLE_DEVICES >gpu-$SLURM_ARRAY_TASK_ID\nsleep 1\n"
    )
    job = submit(slurm, script, "--array=0-2", "--gres=gpu:1", "--mem=1G", "--time=5")
    wait_for(lambda: states(slurm, job) == ["COMPLETED"] * 3)
    gpus = [(tmp_path / f"gpu-{task}").read_text().strip() for task in range(3)]
    assert sorted(gpus[:2]) == ["0", "1"], "the first two ran at the same time"
    assert gpus[2] in {"0", "1"}


def test_a_task_that_ends_with_75_runs_again(slurm, tmp_path):
    script = tmp_path / "again.sh"
    script.write_text(
        "#!/bin/bash\necho run ${SLURM_RESTART_COUNT:-0} | tee -a runs\n"
        "[ ${SLURM_RESTART_COUNT:-0} -ge 1 ] || exit 75\n"
    )
    job = submit(slurm, script, "--array=7", "--open-mode=append", "--output=log")
    wait_for(lambda: states(slurm, job) == ["COMPLETED"])
    assert (tmp_path / "runs").read_text() == "run 0\nrun 1\n"
    assert (tmp_path / "log").read_text().count("run ") == 2


def test_a_signal_reaches_what_the_script_became(slurm, tmp_path):
    (tmp_path / "work.py").write_text(
        "import pathlib, signal, sys\n"
        "def end(*_): pathlib.Path('told').touch(); sys.exit(0)\n"
        "signal.signal(signal.SIGUSR1, end)\n"
        "pathlib.Path('ready').touch()\n"
        "while True: signal.pause()\n"
    )
    script = tmp_path / "signal.sh"
    script.write_text(f"#!/bin/bash\nexec '{sys.executable}' work.py\n")
    job = submit(slurm, script)
    wait_for((tmp_path / "ready").exists)
    subprocess.run(["scancel", "--signal=USR1", "--batch", job], env=slurm, check=True)
    wait_for(lambda: states(slurm, job) == ["COMPLETED"])
    assert (tmp_path / "told").exists()
