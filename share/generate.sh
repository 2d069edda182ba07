#!/bin/sh
# Writes what is installed beside the command, out of the same descriptions as --help: sh spec/one.sh share/generate.sh.
# A spec fails while these files are older than the descriptions.
set -eu
cd "$(dirname "$0")"
mkdir -p man/man1 bash-completion/completions zsh/site-functions fish/vendor_completions.d
calira() { lua5.4 ../bin/calira "$@"; }
calira man >man/man1/calira.1
calira completion bash >bash-completion/completions/calira
calira completion zsh >zsh/site-functions/_calira
calira completion fish >fish/vendor_completions.d/calira.fish
