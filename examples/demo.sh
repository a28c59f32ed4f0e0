#!/usr/bin/env bash
# demo.sh PROGRAMS: shows encryption come and go on live connections, and checks that it did.
#
# Runs the STARTTLS and the onion server with their clients and prints what both ends say, among it a line
# `state: <depth> plain` or `state: <depth> <TLS version> <cipher> <peer's name>` whenever an end's stack of TLS layers
# changed. Status 0 only if both ends went through the expected states and the client is content.
set -euo pipefail

programs=${1:?usage: demo.sh FOLDER-OF-PROGRAMS}
scratch=$(mktemp -d)
server=
failures=0

finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$scratch"
}
trap finish EXIT

if [ -t 1 ]; then bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'; else bold='' green='' red='' plain=''; fi

# Shows what a newcomer wants to see of a program's output, the deeper the more layers, and keeps all of it in a file.
show() {
    local who=$1 file=$2 line depth=0
    while IFS= read -r line; do
        printf '%s\n' "$line" >>"$file"
        case $line in
            state:*)
                depth=${line#state: } depth=${depth%% *}
                printf '%-6s |%*s %s%s%s\n' "$who" $((2 * depth)) '' "$bold" "$line" "$plain"
                ;;
            received:* | sent:*) printf '%-6s |%*s %s\n' "$who" $((2 * depth)) '' "$line" ;;
            lost:* | OK:* | BAD:*) printf '%-6s | %s\n' "$who" "$line" ;;
        esac
    done
}

# wait_for PATTERN FILE: until a line matches, for ten seconds at most; prints the line.
wait_for() {
    local tries
    for tries in $(seq 200); do
        grep -m1 -E "$1" "$2" 2>/dev/null && return 0
        sleep 0.05
    done
    return 1
}

# expect_states WHO FILE STATE...: each STATE is an extended regular expression for a whole state line.
expect_states() {
    local who=$1 file=$2 observed expected
    shift 2
    mapfile -t observed < <(grep '^state: ' "$file" || true)
    expected=("$@")
    local i ok=1
    [ ${#observed[@]} -eq ${#expected[@]} ] || ok=0
    for i in "${!expected[@]}"; do
        [[ ${observed[i]:-} =~ ^state:\ ${expected[i]}$ ]] || ok=0
    done
    if [ $ok = 1 ]; then
        printf '%s%s went through all %d states as expected%s\n' "$green" "$who" ${#expected[@]} "$plain"
    else
        failures=$((failures + 1))
        printf '%s%s went through other states than expected%s\n' "$red" "$who" "$plain"
        printf '  observed  %s\n' "${observed[@]:-(none)}"
        printf '  expected  state: %s\n' "${expected[@]}"
    fi
}

# conversation TITLE NAME CLIENT-STATES SERVER-STATES CLIENT-ARGUMENTS... : NAME_server and NAME_client, one conversation.
conversation() {
    local name=$2 port status=0 client_log server_log
    local -n client_states=$3 server_states=$4
    client_log=$scratch/$name.client server_log=$scratch/$name.server
    : >"$client_log"
    : >"$server_log"
    printf '\n%s%s%s\n' "$bold" "$1" "$plain"
    shift 4

    # The server is this shell's own child, so that it can be told to end; its output reaches `show` through a pipe.
    mkfifo "$scratch/$name.pipe"
    show server "$server_log" <"$scratch/$name.pipe" &
    local reader=$!
    "$programs/${name}_server" --port 0 "${server_arguments[@]}" >"$scratch/$name.pipe" 2>&1 &
    server=$!
    if ! port=$(wait_for '^LISTENING [0-9]+$' "$server_log"); then
        printf '%s%s_server did not start listening:%s\n' "$red" "$name" "$plain"
        cat "$server_log"
        failures=$((failures + 1))
        return
    fi
    port=${port#LISTENING }

    { timeout 30 "$programs/${name}_client" --host localhost --port "$port" --timeout 10 "$@" 2>&1 || printf 'status %d\n' $? >"$scratch/status"; } |
        show client "$client_log"
    wait_for '^lost: ' "$server_log" >/dev/null || true
    kill "$server" 2>/dev/null || true
    wait "$server" || status=$?
    server=
    wait "$reader"

    if [ -s "$scratch/status" ]; then
        printf '%s%s_client ended with %s%s\n' "$red" "$name" "$(cat "$scratch/status")" "$plain"
        grep -vE '^(state|received|sent|lost|OK|BAD): ' "$client_log" || true
        failures=$((failures + 1))
        rm -f "$scratch/status"
    fi
    if [ $status -ne 0 ]; then
        printf '%s%s_server ended with status %d%s\n' "$red" "$name" "$status" "$plain"
        failures=$((failures + 1))
    fi
    expect_states "The client" "$client_log" "${client_states[@]}"
    expect_states "The server" "$server_log" "${server_states[@]}"
}

# Seen by the client the peer has a name; the clients show no certificate, so the server sees "-".
cipher='TLS_[A-Z0-9_]+'
layer() { printf '%d TLSv1\\.3 %s %s' "$1" "$cipher" "$2"; }
up=$(layer 1 'example\.com') up_server=$(layer 1 '-')
upper=$(layer 2 'example\.com') upper_server=$(layer 2 '-')

one_client=('0 plain' "$up")
one_server=('0 plain' "$up_server")
two_client=('0 plain' "$up" "$upper" "$up" '0 plain')
two_server=('0 plain' "$up_server" "$upper_server" "$up_server" '0 plain')

authority=(--ca "$programs/public.pem" --hostname example.com)

server_arguments=(--cert "$programs/server.pem")
conversation 'STARTTLS: one connection turns from plain text to TLS' starttls one_client one_server "${authority[@]}"

server_arguments=(--cert "$programs/server.pem" --cert "$programs/server.pem")
conversation 'The onion: TLS in TLS on one connection, put on and taken off again' onion two_client two_server \
    --depth 2 --cycles 1 "${authority[@]}" "${authority[@]}"

printf '\n'
if [ $failures -eq 0 ]; then
    printf '%sEvery layer came and went as it should.%s\n' "$green" "$plain"
else
    printf '%s%d things were not as they should be.%s\n' "$red" "$failures" "$plain"
    exit 1
fi
