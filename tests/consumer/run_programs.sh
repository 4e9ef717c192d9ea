#!/usr/bin/env bash
# Runs the programs of the documentation that the consumer has built, and checks what they print.
#
#   run_programs.sh BUILD
set -euo pipefail
build=$1

output=$("$build/consumer")
printf '%s\n' "$output"
[[ $output == "logits [1, 1000], class "* ]]

output=$("$build/operator")
printf '%s\n' "$output"
# A step along the gradient lowers the loss.
read -r before after < <(sed -n 's/^loss \([0-9.e+-]*\), then \([0-9.e+-]*\)$/\1 \2/p' <<<"$output")
awk "BEGIN { exit !($after > 0 && $after < $before) }"

output=$("$build/sample")
printf '%s\n' "$output"
# A new DiT predicts no noise, so the noise it begins with is divided by the part of the image, 4.036e-5.
square=$(sed -n 's/^latents \[2, 4, 32, 32\], mean square \([0-9.e+]*\)$/\1/p' <<<"$output")
awk "BEGIN { exit !($square * 4.036e-5 > 0.9 && $square * 4.036e-5 < 1.1) }"
