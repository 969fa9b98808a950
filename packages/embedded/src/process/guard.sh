# guard.sh <signal> [<folder>]: ends processes when the process that started it has ended.
# `read` fails when the other end of the pipe is closed, also after SIGKILL.

trap '' HUP INT TERM
pids= # the process to end, then those of its children that are stopped
after= # a process that must end first, such as one that stops the clients of this server in order
while read -r word rest; do
  case $word in
    watch) pids=$rest ;;
    after) after=$rest ;;
    release) exit ;;
  esac
done

# A zombie has ended, but `kill -0` succeeds until its parent collects it.
runs() {
  kill -0 "$1" 2>/dev/null || return 1
  [ -r "/proc/$1/stat" ] || return 0
  read -r stat <"/proc/$1/stat" || return 1
  case $stat in *') Z '*) return 1 ;; esac
}

tries=0
while [ -n "$after" ] && runs "$after" && [ $((tries += 1)) -le 600 ]; do sleep 0.1; done

if [ -n "$pids" ]; then
  kill -CONT $pids
  kill -"$1" ${pids%% *}
fi
[ -n "$2" ] || exit

tries=0
while kill -0 $pids && [ $((tries += 1)) -lt 50 ]; do sleep 0.1; done
rm -rf -- "$2"
