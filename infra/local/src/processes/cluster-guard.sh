# cluster-guard.sh: stops the instances of a cluster in order when their launcher has ended.
# Each input line `watch` replaces the plan: stages of pids, separated by `/`. `release` ends the guard.
# `read` fails when the launcher has ended, also by SIGKILL.

trap '' HUP INT TERM
plan=
while read -r word rest; do
  case $word in
    watch) plan=$rest ;;
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

any_runs() {
  for pid; do runs "$pid" && return 0; done
  return 1
}

stage=
for word in $plan /; do
  if [ "$word" != / ]; then
    stage="$stage $word"
    continue
  fi
  [ -n "$stage" ] || continue
  kill -CONT $stage 2>/dev/null
  kill -TERM $stage 2>/dev/null
  tries=0
  while any_runs $stage && [ $((tries += 1)) -le 100 ]; do sleep 0.1; done
  # Each one leads a process group: its own children end with it.
  for pid in $stage; do kill -KILL -- "-$pid" 2>/dev/null; done
  stage=
done
