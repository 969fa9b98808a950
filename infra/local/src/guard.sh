# guard.sh <signal> [<folder>]: ends processes when the one that started it is gone.
# `read` fails when the other end of the pipe is gone, however it died: by SIGKILL too.

pids= # the process to end, then those of its children that are stopped
while read -r word rest; do
  case $word in
    watch) pids=$rest ;;
    release) exit ;;
  esac
done

if [ -n "$pids" ]; then
  kill -CONT $pids
  kill -"$1" ${pids%% *}
fi
[ -n "$2" ] || exit

tries=0
while kill -0 $pids && [ $((tries += 1)) -lt 50 ]; do sleep 0.1; done
rm -rf -- "$2"
