# $1: grace in tenths of a second; then the command. Stdin: a pipe that the owner holds and never writes to.
# When the owner closes it, or dies in any way, the command gets SIGTERM and, after the grace, its whole
# process group SIGKILL. When the command ends by itself, so does this, with its exit code.
grace=$1
shift
exec 3<&0 </dev/null
stopping=
trap 'stopping=1' TERM INT HUP
"$@" 3<&- &
child=$!
# The shell's own "Terminated" is nobody's news.
exec 2>/dev/null
(
    trap '' TERM INT HUP
    read -r _ <&3
    kill -TERM 0
    while [ "$grace" -gt 0 ] && kill -0 "$child"; do
        sleep 0.1
        grace=$((grace - 1))
    done
    kill -KILL 0
) &
watcher=$!
exec 3<&-
wait "$child"
code=$?
while kill -0 "$child"; do
    wait "$child"
    code=$?
done
[ -n "$stopping" ] || kill -KILL "$watcher"
exit "$code"
