# Completions of termi for bash 4 and newer. In ~/.bashrc: eval "$(termi completions bash)"
_termi() {
    local candidate
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <("${1/#"~"/$HOME}" __complete bash "$2" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    # Nothing ends behind these: more of the word follows.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[/:=] ]]; then
        compopt -o nospace
    fi
}
complete -F _termi termi
