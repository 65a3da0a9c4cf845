#!/bin/sh
# Lists the tests that a plain `cargo test` ignores: file, test, and the reason with how to run it.
set -eu
cd "$(dirname "$0")/.."
grep -rl --include='*.rs' --exclude-dir=target 'ignore = "' . | sort | while read -r file; do
    awk -v file="${file#./}" '
        /ignore = "/ { reason = $0; sub(/.*ignore = "/, "", reason); sub(/".*/, "", reason) }
        reason != "" && /^ *(pub )?fn / {
            name = $0; sub(/.*fn /, "", name); sub(/\(.*/, "", name)
            print file ": " name ": " reason
            reason = ""
        }' "$file"
done
