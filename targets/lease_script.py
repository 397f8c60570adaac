"""The board's side of a lease, as the text of a POSIX shell script: it needs no Python, no root and no clock.

The files of a lease lie in `<workdir>/lease`, open to all accounts of the board and not sticky, so that one account can
replace what another one wrote:

    held        the lease of a controller, seven lines: token, boot id, end, account, person, owner, note
    reserved    likewise for a person
    token       the number that was given last; it survives reboots
    lock        what flock(1) locks; `busy.N` where there is no flock

The end is in seconds of the board's own uptime, and a lease of another boot is none: no clock has to be right.
Mutual exclusion lasts for one command, some milliseconds; a lease is never a lock that someone holds open.

Without flock, the links `busy.N` are the lock. Only the highest N counts; its target says `free`, or in which boot, by
whom and when it was taken. Who finds it free, or older than a command can be, makes N+1: ln(1) lets one succeed. As no
link is taken away before a higher one stands, nobody can break a lock that is not the one he judged.
"""

from __future__ import annotations

HELD, BUSY, AGENT_LEFT, LOST = 73, 70, 75, 76  # exit statuses

LEASE = r"""
work=$1 clock=$2 op=$3
shift 3
dir=$work/lease mine=
umask 0

fail() { echo "$2" >&2; exit "$1"; }
now() { read -r up _ <"$clock/uptime"; up=${up%%.*}; }

open_folder() {
  if [ ! -d "$work" ]; then
    (umask 022; mkdir -p "$work") || exit 1
    chmod 1777 "$work" 2>/dev/null  # fails where another account was faster, which is fine
  fi
  [ -d "$dir" ] || mkdir "$dir" 2>/dev/null || [ -d "$dir" ] || fail 1 "this account cannot make it"
  [ -w "$dir" ] || fail 1 "this account cannot write there"
}

lock() {
  open_folder
  tries=0
  if command -v flock >/dev/null 2>&1; then
    [ -e "$dir/lock" ] || : >>"$dir/lock"
    exec 9<"$dir/lock"
    until flock -n 9; do again; done
  else
    trap unlock EXIT
    until take_link; do again; done
  fi
}
again() {
  tries=$((tries + 1))
  [ "$tries" -lt 200 ] || fail 70 "$dir is locked by another command"
  sleep 0.05 2>/dev/null || sleep 1
}
unlock() {
  if [ -n "$mine" ]; then ln -s free "$dir/busy.$((mine + 1))" 2>/dev/null; mine=; fi
  exec 9<&-
}
newest() {
  top=0
  for link in "$dir"/busy.*; do
    case ${link##*.} in *[!0-9]*) ;; *) [ "${link##*.}" -le "$top" ] || top=${link##*.} ;; esac
  done
}
take_link() {
  newest; now
  state=$(readlink "$dir/busy.$top" 2>/dev/null)
  case $state in
    "$boot".*) [ $((up - ${state##*.})) -gt 10 ] || return 1 ;;
  esac
  next=$((top + 1))
  ln -s "$boot.$$.$up" "$dir/busy.$next" 2>/dev/null || return 1
  newest
  if [ "$top" != "$next" ]; then rm -f "$dir/busy.$next"; return 1; fi
  mine=$next
  for link in "$dir"/busy.*; do [ "$link" = "$dir/busy.$mine" ] || rm -f "$link"; done
}
still_locked() {
  [ -n "$mine" ] || return 0
  newest
  [ "$top" = "$mine" ] || { mine=; fail 70 "$dir: this command was overtaken"; }
}

# Read a lease into l_*. False where there is none of this boot; one that was cut off by a power loss is none.
load() {
  l_token= l_boot= l_until= l_account= l_person= l_owner= l_note=
  [ -r "$dir/$1" ] || return 1
  { IFS= read -r l_token; IFS= read -r l_boot; IFS= read -r l_until; IFS= read -r l_account
    IFS= read -r l_person; IFS= read -r l_owner; IFS= read -r l_note; } 2>/dev/null <"$dir/$1"
  is_number "$l_token" && is_number "$l_until" && [ "$l_boot" = "$boot" ]
}
is_number() { case $1 in ''|*[!0-9]*) return 1 ;; esac; }
live() { load "$1" && now && [ "$l_until" -gt "$up" ]; }
save() {
  now
  still_locked
  account=$(id -un 2>/dev/null || id -u)
  printf '%s\n' "$token" "$boot" $((up + ttl)) "$account" "$person" "$owner" "$note" >"$dir/$1.new.$$" &&
    mv -f "$dir/$1.new.$$" "$dir/$1" || { rm -f "$dir/$1.new.$$"; exit 1; }
}
report() { printf '%s\n' "$1" "$l_token" $((l_until - up)) "$l_account" "$l_person" "$l_owner" "$l_note"; }
refuse_if_live() { if live "$1" && [ "$l_person" != "$person" ]; then report "$1"; exit 73; fi; }

next_token() {
  given=
  [ ! -r "$dir/token" ] || read -r given <"$dir/token"
  token=$least
  for number in "$given" "$l_token"; do
    if is_number "$number" && [ "$number" -gt "$token" ]; then token=$number; fi
  done
  token=$((token + 1))
  still_locked
  echo "$token" >"$dir/token.new.$$" && { sync "$dir/token.new.$$" || sync; } 2>/dev/null
  mv -f "$dir/token.new.$$" "$dir/token" || exit 1
}

# The agents of other runs, which nobody may let go on: ended where this account may do that.
end_others() {
  left=
  for file in "$work"/account-*/jobs/*/agent.json; do
    [ -r "$file" ] || continue
    job=${file%/agent.json} job=${job##*/}
    case $job in "${owner#*:}".*) continue ;; esac
    read_agent "$file" || continue
    end_agent
    if agent_lives; then left="$pid $(set -- $(ls -ld "/proc/$pid"); echo "$3") $job"; fi
  done
  [ -z "$left" ]
}
read_agent() {
  text=
  read -r text <"$1"
  read -r real_boot </proc/sys/kernel/random/boot_id
  case $text in *'"boot_id": "'"$real_boot"'"'*) ;; *) return 1 ;; esac
  number pid; pid=$value
  number start_ticks; ticks=$value
  number session; session=$value
  is_number "$pid" && is_number "$ticks" && agent_lives
}
number() { value=${text#*'"'"$1"'": '}; value=${value%%[!0-9]*}; }
agent_lives() {
  { read -r line </proc/$pid/stat; } 2>/dev/null || return 1
  set -- ${line##*) }
  [ "$1" != Z ] && [ "${20}" = "$ticks" ]
}
end_agent() {
  for signal in TERM KILL; do
    kill -s $signal "$pid" 2>/dev/null || return
    waited=0
    while agent_lives && [ $waited -lt 50 ]; do sleep 0.1 2>/dev/null || sleep 1; waited=$((waited + 1)); done
    agent_lives || break
  done
  is_number "$session" || return
  for stat in /proc/[0-9]*/stat; do
    { read -r line <$stat; } 2>/dev/null || continue
    set -- ${line##*) }
    if [ "$4" = "$session" ]; then stat=${stat%/stat}; kill -s KILL "${stat##*/}" 2>/dev/null; fi
  done
}

acquire() {
  owner=$1 person=$2 ttl=$3 least=$4 note=$5 token=
  lock
  refuse_if_live reserved
  if load held && now; then
    if [ "$l_owner" = "$owner" ]; then
      [ "$l_token" -le "$least" ] || token=$l_token  # nobody was there in between
    elif [ "$l_until" -gt "$up" ]; then
      report held; exit 73
    fi
  fi
  [ -n "$token" ] || next_token
  save held
  unlock
  if ! end_others; then
    lock
    if load held && [ "$l_token" = "$token" ]; then rm -f "$dir/held"; fi
    printf '%s\n' agent $left
    exit 75
  fi
  echo "$token"
}

# Of owner $1 and token $2, whether it has ended or not: as long as nobody took it since, nobody was there.
own() {
  lock
  if load held && [ "$l_owner" = "$1" ] && [ "$l_token" = "$2" ]; then return; fi
  if live held; then report held; fi
  exit 76
}
renew() { own "$1" "$2"; token=$2 owner=$1 ttl=$3 person=$l_person note=$l_note; save held; unlock; }
guard() { renew "$1" "$2" "$3"; shift 3; trap - EXIT; exec "$@" </dev/null; }
release() { own "$1" "$2"; rm -f "$dir/held"; }

reserve() {
  person=$1 owner=$1 ttl=$2 note=$3
  lock
  refuse_if_live held
  refuse_if_live reserved
  token=0
  save reserved
}
unreserve() { person=$1; lock; refuse_if_live reserved; rm -f "$dir/reserved"; }
show() { for kind in held reserved; do if live $kind; then report $kind; fi; done; }

main() { read -r boot <"$clock/sys/kernel/random/boot_id" || exit 1; "$op" "$@"; }
main "$@"; exit
"""
