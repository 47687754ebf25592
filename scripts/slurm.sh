#!/usr/bin/env bash
# A Slurm of one make-believe node on this machine, to try job arrays and to test them: 8 cores and
# 2 GPUs, whatever the machine has. Everything of it lies in FOLDER (build/slurm where none is given),
# its key too, without which its ports answer nobody. A Slurm that the machine already has stays as it is.
#   scripts/slurm.sh install             the packages, with apt, as root
#   eval "$(scripts/slurm.sh start)"     starts it where it does not run; sinfo, sbatch, squeue then ask it
#   scripts/slurm.sh status [FOLDER]     what of it runs
#   scripts/slurm.sh stop [FOLDER]       cancels its jobs and ends it
# start takes two free ports and keeps to them, or those of $SLURM_PORTS: SLURM_PORTS="6917 6918".
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

PACKAGES=(slurmctld slurmd slurm-client munge)
COMMANDS=(slurmctld slurmd sbatch munged mungekey)
DAEMONS=(slurmd slurmctld munged) # munged last: the others ask it until they end

say() { printf 'slurm: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }
is_root() { [ "$(id -u)" -eq 0 ]; }
is_installed() { local name; for name in "${COMMANDS[@]}"; do command -v "$name" >/dev/null || return 1; done; }

lives() { grep -qzF "$folder/" "/proc/$1/cmdline" 2>/dev/null; }

pid_of() { # pid_of DAEMON: of the one that serves this FOLDER, no other of that name
    local pid
    pid=$(cat "$folder/$1.pid" 2>/dev/null) && lives "$pid" && echo "$pid"
}

free_port() { # free_port FIRST LAST: below the ports that outgoing connections take
    local port
    while port=$(shuf -n 1 -i "$1-$2"); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

configure() { # configure SLURMCTLD_PORT SLURMD_PORT
    local node
    node=$(hostname -s)
    printf 'Name=gpu File=%s\n' /dev/zero /dev/full >"$folder/gres.conf"
    # cred_expire: a requeued job waits that long, 120 s by default, 5 s at least. Without cgroups
    # and accounting it needs nothing of the machine.
    cat >"$folder/slurm.conf" <<EOT
ClusterName=vqc
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$1
SlurmdPort=$2
SlurmUser=root
SlurmdUser=root
AuthInfo=socket=$folder/munge.socket,cred_expire=5
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=100000,bf_interval=1
JobRequeue=1
RequeueExit=75
ReturnToService=2
KillWait=5
MinJobAge=300
MaxArraySize=10001
MaxJobCount=20000
GresTypes=gpu
NodeName=$node NodeAddr=127.0.0.1 CPUs=8 RealMemory=64000 Gres=gpu:2
PartitionName=main Nodes=$node Default=YES MaxTime=7-0 OverSubscribe=NO
EOT
}

launch() { # launch COMMAND: its daemon must not hold on to the caller's output
    "$@" >>"$folder/start.log" 2>&1 </dev/null || fail "$1 does not start: $folder/start.log"
}

wait_until() { # wait_until SECONDS COMMAND
    local end=$((SECONDS + $1))
    while ! "${@:2}" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}

serves() { [[ $(timeout 5 sinfo -h -o %T) =~ ^(idle|mixed|allocated)$ ]]; }
has_no_jobs() { [ -z "$(timeout 5 squeue -h || echo unknown)" ]; }
has_ended() { ! lives "$1"; }

install() {
    is_installed && return
    { is_root && command -v apt-get >/dev/null; } || fail "install slurmctld, slurmd, Slurm's client commands" \
        "and munge; on Debian and Ubuntu (universe), as root: apt-get install ${PACKAGES[*]}"
    apt-get -qq update || true # one broken source need not matter
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${PACKAGES[@]}" >&2
}

start() {
    local daemon ports running=""
    is_installed || fail "not installed: ${PACKAGES[*]}. Run: scripts/slurm.sh install"
    is_root || fail "only root may start it"
    for daemon in "${DAEMONS[@]}"; do pid_of "$daemon" >/dev/null && running+="$daemon "; done
    if [ "$running" != "${DAEMONS[*]} " ]; then
        [ -z "$running" ] || stop
        mkdir -p "$folder"/{state,spool}
        # Where a daemon was killed, jobs still run, and end by telling the port they know.
        ports=${SLURM_PORTS:-$(sed -n 's/^Slurm.*Port=//p' "$SLURM_CONF" 2>/dev/null || true)}
        # shellcheck disable=SC2086 # two words
        configure ${ports:-$(free_port 20000 25999) $(free_port 26000 31999)}
        [ -f "$folder/munge.key" ] || launch mungekey --create --keyfile="$folder/munge.key"
        # --force: the folder may be closed to others; root alone asks here
        launch munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
            --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" --seed-file="$folder/munged.seed"
        launch slurmctld -f "$folder/slurm.conf"
        launch slurmd -f "$folder/slurm.conf"
    fi
    wait_until 60 serves || fail "the node is not idle after 60 s: $folder/slurmctld.log, $folder/slurmd.log"
    echo "export SLURM_CONF=$folder/slurm.conf"
}

status() {
    local daemon pid down=0
    for daemon in "${DAEMONS[@]}"; do
        if pid=$(pid_of "$daemon"); then say "$daemon runs, process $pid"; else say "$daemon does not run"; down=1; fi
    done
    [ "$down" -eq 0 ] && echo "export SLURM_CONF=$folder/slurm.conf" && sinfo && squeue
}

stop() {
    local daemon pid
    if pid_of slurmctld >/dev/null && pid_of munged >/dev/null; then
        timeout 10 scancel --partition=main || true # slurmd leaves its jobs alone when it ends
        wait_until 15 has_no_jobs || say "jobs of $folder still run"
    fi
    for daemon in "${DAEMONS[@]}"; do
        pid=$(pid_of "$daemon") || continue
        kill "$pid"
        wait_until 30 has_ended "$pid" || fail "$daemon, process $pid, does not end: $folder/$daemon.log"
    done
}

folder=$(realpath -m "${2:-"$(dirname "${BASH_SOURCE[0]}")/../build/slurm"}")
# Slurm takes no spaces, expands %, and the name of a socket in spool/ ends at 107 bytes.
[[ $folder =~ ^[A-Za-z0-9._/+-]{1,64}$ ]] || fail "FOLDER may hold letters, digits and ._/+- only, 64 at most: $folder"
export SLURM_CONF=$folder/slurm.conf
case "${1:-}" in
install | start | status | stop) "$1" ;;
*) fail "one of install, start, status, stop; not '${1:-}'" ;;
esac
