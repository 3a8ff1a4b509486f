#!/bin/sh
# Makes the login of Prefect's server, for the server and for its clients: make-login.sh FILE
# Whoever can read FILE can run programs as the worker: nobody but its owner can. One that is in it already stays.
set -eu
file=$1
umask 077
touch "$file"
chmod 600 "$file"
if ! grep -q '^PREFECT_SERVER_API_AUTH_STRING=.' "$file"; then
    login=spsetl:$(od -A n -N 24 -t x1 /dev/urandom | tr -d ' \n')
    printf '\nPREFECT_SERVER_API_AUTH_STRING=%s\nPREFECT_API_AUTH_STRING=%s\n' "$login" "$login" >> "$file"
fi
