# A root directory as a container has it. $1: the files below, never changed; $2: a directory with `upper` (what is
# changed), `work` and `root`; $3: rw or ro; $4: how many mounts follow, FROM and TO each; then the command to run
# there, if any. All mounts are of this process's namespace and end with it.
set -eu
lower=$1 dir=$2 access=$3 mounts=$4
shift 4
root=$dir/root
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$dir/upper,workdir=$dir/work" "$root"
mkdir -p "$root/dev" "$root/proc" "$root/tmp"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
while [ "$mounts" -gt 0 ]; do
    if [ -d "$1" ]; then mkdir -p "$root$2"; else : >>"$root$2"; fi
    mount --bind "$1" "$root$2"
    shift 2
    mounts=$((mounts - 1))
done
if [ "$access" = ro ]; then mount -o remount,ro "$root"; fi
if [ $# -gt 0 ]; then exec chroot "$root" "$@"; fi
