"""Shards of a render job or of a grid on other machines: Slurm's queue, or a Dask cluster.

`job` is what was handed over, `slurm` speaks with Slurm, `status` says how far all is,
`dask` runs shards on a cluster that is there.
"""

from vqc.batch.job import SCRIPT, Job, earlier_job, find_jobs, forget, job_folder, read_job
from vqc.batch.slurm import (
    Settings,
    at_work,
    hand_over,
    queued,
    read_settings,
    require_taken,
    script,
    write_script,
)
from vqc.batch.status import ShardStatus, Status, shards_for, status_of

__all__ = [
    "SCRIPT",
    "Job",
    "Settings",
    "ShardStatus",
    "Status",
    "at_work",
    "earlier_job",
    "find_jobs",
    "forget",
    "hand_over",
    "job_folder",
    "queued",
    "read_job",
    "read_settings",
    "require_taken",
    "script",
    "shards_for",
    "status_of",
    "write_script",
]
