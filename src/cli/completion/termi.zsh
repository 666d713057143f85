#compdef termi
# Completions of termi for zsh. In ~/.zshrc, after compinit: source <(termi completions zsh)
_termi() {
    local -a candidates finished unfinished
    local candidate value
    candidates=("${(@f)$("${words[1]/#\~/$HOME}" __complete zsh "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    for candidate in $candidates; do
        # To _describe, a colon begins the description.
        value=${${candidate%%$'\t'*}//:/\\:}
        if [[ $candidate == *$'\t'* ]]; then
            candidate=$value:${candidate#*$'\t'}
        else
            candidate=$value
        fi
        # Nothing ends behind these: more of the word follows.
        if [[ $value == *[/:=] ]]; then unfinished+=("$candidate"); else finished+=("$candidate"); fi
    done
    local ret=1
    if (( $#finished )); then _describe -V -t finished termi finished && ret=0; fi
    if (( $#unfinished )); then _describe -V -t unfinished termi unfinished -S '' && ret=0; fi
    return ret
}
# Loaded from $fpath this file is the function itself.
if [[ ${funcstack[1]} == _termi ]]; then _termi "$@"; else compdef _termi termi; fi
