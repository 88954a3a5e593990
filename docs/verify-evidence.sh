#!/bin/sh
# Confirms what `dicast evidence verify` says of one run, with sha256sum and jq: verify-evidence.sh RUN_FOLDER
cd "$1" || exit 2
run=$(basename "$PWD") spec=$(basename "$(dirname "$PWD")") found=$(mktemp) named=$(mktemp)
trap 'rm -f "$found" "$named"' EXIT
say() { echo "$1 $2" >> "$found"; }; sum() { sha256sum | cut -c1-64; }
finish() { sort -u "$found"; [ -s "$found" ] && exit 3; exit 0; }
[ -f journal.jsonl ] || { say missing journal.jsonl; finish; }
# The chain: each line hashes to what it ends with, and names the line before it. A last line without its end is torn.
prev=$(printf 'dicast.journal/1 %s %s' "$spec" "$run" | sum) seq=0 broken='' closed=''
while IFS= read -r line; do
  hash=${line##*,\"hash\":\"}; hash=${hash%\"\}}; body="${line%,\"hash\":*}}"
  if [ "$(printf %s "$body" | sum)" != "$hash" ]; then broken=altered; break; fi
  if [ "$(printf %s "$body" | jq .seq)" -ne $((seq + 1)) ]; then
    jq -R 'fromjson? | .seq' journal.jsonl | grep -qx $((seq + 1)) && broken=reordered || broken=missing; break
  fi
  case $body in *"\"prev\":\"$prev\""*) ;; *) broken=altered; break ;; esac
  case $body in *'"type":"run_closed"'*) closed=1 ;; *'"type":"run_reopened"'*) closed='' ;; esac
  prev=$hash seq=$((seq + 1))
done < journal.jsonl
[ -z "$broken" ] || say $broken journal.jsonl
# The manifest: a line that it knows must be there.
if [ -f manifest.json ] && ! last=$(jq -er .journal.seq manifest.json 2> /dev/null); then say altered manifest.json
elif [ -f manifest.json ] && [ "$last" -gt $seq ]; then [ -n "$broken" ] || say truncated journal.jsonl
elif [ -f manifest.json ]; then
  [ "$(sed -n "${last}p" journal.jsonl | jq -r .hash)" = "$(jq -r .journal.hash manifest.json)" ] || say altered journal.jsonl
fi
# Every file that a good line or the manifest names.
{ head -n $seq journal.jsonl | jq -r 'del(.documents, .kept_aside, .merged, .decision) | .. | objects | select(.sha256? and .path?) | "\(.sha256) \(.bytes) \(.path)"'
  jq -r '.files[] | "\(.sha256) \(.bytes) \(.path)"' manifest.json 2> /dev/null; } | sort -u > "$named"
while read -r sha bytes path; do
  if [ ! -f "$path" ]; then say missing "$path"; elif [ "$(wc -c < "$path")" -lt "$bytes" ]; then say truncated "$path"
  elif [ "$(sum < "$path")" != "$sha" ]; then say altered "$path"; fi
done < "$named"
# Every other file: late ones bear their hash in their name; in a closed run there is nothing else.
find . -type f ! -name '*.dicast-tmp' ! -path ./journal.jsonl ! -path ./manifest.json | sed 's|^\./||' | while read -r path; do
  cut -d' ' -f3- "$named" | grep -qxF "$path" && continue
  case $path in late/*-*) [ "${path#late/}" = "$(sum < "$path")-${path#late/*-}" ] || say altered "$path" ;;
    late/*) say alien "$path" ;; *) [ -z "$closed" ] || [ -n "$broken" ] || say alien "$path" ;; esac
done; finish
