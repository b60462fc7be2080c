# How whole processes are measured, for scripts that compare two sides: they source it, and set work (a folder for what
# is printed) and run (the number of the run). Needs GNU time.

# measured SIDE COMMAND...: runs it and appends "seconds, processors' seconds, kilobytes" to the side's figures.
measured() {
  local side=$1
  shift
  if ! /usr/bin/time -f '%e %U %S %M' -o "$work/last" "$@" >"$work/$side.out" 2>"$work/$side.err"; then
    cat "$work/$side.err" >&2
    return 1
  fi
  awk '{print $1, $2 + $3, $4}' "$work/last" >>"$work/$side.figures"
  tail -n 1 "$work/$side.figures" | awk -v run="$run" -v side="$side" '{printf "%3d  %-9s  %8.2f s  %8.2f s  %6.0f MiB\n", run, side, $1, $2, $3 / 1024}'
}

# median SIDE COLUMN: of the figures of a side.
median() {
  awk -v c="$2" '{print $c}' "$work/$1.figures" | sort -n | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'
}
