#!/usr/bin/env bash
# Three machines on this one: a hub and two more nodes on loopback, walked through word by word. Run it with: make demo
# Each command is printed before it runs, with the machine it runs on. Everything lives in one temporary folder; at the
# end, also after Ctrl-C or a failure, the three nodes are stopped and the folder is removed. Nothing else is touched.
set -euo pipefail

command -v lanline >/dev/null || { echo "lanline is not on PATH. Try: make demo" >&2; exit 1; }

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' plain=$'\e[0m'
else
    bold='' dim='' green='' plain=''
fi

place=$(mktemp -d /tmp/lldemo.XXXXXX)
code=$place/code
machines=(desk pc2 pc3)

# A node that runs as root refuses to run commands for others unless it is told to: here that is asked for on purpose.
as_root=()
[ "$(id -u)" -ne 0 ] || as_root=(--allow-root)

clean_up() {
    result=$?
    trap - EXIT INT TERM HUP
    for machine in "${machines[@]}"; do
        if [ -e "$place/$machine/control.sock" ]; then
            LANLINE_HOME=$place/$machine lanline down >/dev/null 2>&1 || end_by_force "$machine"
        fi
    done
    rm -rf "$place"
    if [ "$result" -eq 0 ]; then
        echo "${dim}The nodes are stopped and $place is gone.${plain}"
    else
        echo "The demo ended early, exit code $result; its nodes are stopped and $place is gone." >&2
    fi
    exit "$result"
}

end_by_force() { # MACHINE: the process that holds its folder, by number, and only if it is a node of that folder
    pid=$(cat "$place/$1/node.lock" 2>/dev/null) || return 0
    if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$place/$1"; then
        kill -9 "$pid" || true
    fi
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

show() { # MACHINE WORD...: the command line as it would be typed
    local machine=$1 word text=lanline
    shift
    for word in "$@"; do
        case $word in
        *[!A-Za-z0-9@%+=:,./_-]* | '') text+=" '${word//\'/\'\\\'\'}'" ;;
        *) text+=" $word" ;;
        esac
    done
    printf '%s%s $%s %s\n' "$green" "$machine" "$plain" "$text"
}

on() { # MACHINE WORD...: prints it, runs it there
    show "$@"
    quietly "$@"
}

quietly() {
    local machine=$1
    shift
    LANLINE_HOME=$place/$machine lanline "$@"
}

fails() { # CODE MACHINE WORD...: as `on`, and it must end with this exit code
    local wanted=$1 got=0
    shift
    on "$@" || got=$?
    printf '%sexit code %s%s\n' "$dim" "$got" "$plain"
    [ "$got" -eq "$wanted" ] || { echo "exit code $wanted was expected" >&2; exit 1; }
}

until_it_holds() { # COMMAND...: asked for ten seconds at most
    local end=$((SECONDS + 10))
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || { echo "it did not come to: $*" >&2; exit 1; }
    done
}

all_here() { [ "$(quietly pc2 who @online --json | wc -l)" -eq 3 ]; }
is_removed() { quietly pc3 status --json | grep -q '"role": "removed"'; }

echo "${bold}lanline on three machines${plain}, which are all this one: desk (127.0.0.1), pc2 (127.0.0.2) and pc3 (127.0.0.3)."
if [ ${#as_root[@]} -ne 0 ]; then
    echo "${dim}You are root. A node that runs as root runs nothing for others, so each is told --allow-root here.${plain}"
fi

say "1. One machine founds a room and becomes its hub."
on desk init --allow-run "${as_root[@]}" --room lab --name desk --no-passphrase --bind 127.0.0.1 --port 0 --detach
hub=$(quietly desk status --json | sed 's/.*"reachable_at": \["\([^"]*\)".*/\1/')

say "2. It hands out a code; two more machines join with it."
show desk invite --uses 2 --ttl 10m
quietly desk invite --uses 2 --ttl 10m | tee "$code"
on pc2 join "$hub" --code-file "$code" --allow-run "${as_root[@]}" --name pc2 --bind 127.0.0.2 --port 0 --detach
on pc3 join "$hub" --code-file "$code" --allow-run=uname,uptime "${as_root[@]}" --name pc3 --bind 127.0.0.3 --port 0 --detach
until_it_holds all_here

say "3. Everybody knows who is here."
on pc2 who

say "4. The founder is an owner of the room, and runs commands on all machines at once."
on desk run @all -- uname -sr
fails 125 desk run 'pc[2-3]' --shell 'echo "this is $LANLINE_NODE"'
echo "${dim}pc3 only runs uname and uptime: that was its own owner's word, and nothing from outside can change it.${plain}"
fails 3 desk run pc2 -- sh -c 'echo "something is wrong" >&2; exit 3'

say "5. A member may not run anything, until an owner makes it an operator."
fails 125 pc2 run desk -- uptime -p
on desk members role pc2 operator
on pc2 run desk -- uname -m

say "6. Every machine keeps a record of what it did for whom, which cannot be changed unnoticed."
on pc2 audit --what 'run.*'
on pc2 audit verify

say "7. How a node is doing, and taking a machine out of the room."
on desk status
on desk members remove pc3
until_it_holds is_removed
on pc3 status
on desk who

say "8. Leaving, and ending the room."
on pc2 leave
on desk leave --end-room --yes
echo
