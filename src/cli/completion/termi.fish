# Completions of termi for fish. In ~/.config/fish/config.fish: termi completions fish | source
function __termi_candidates
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l word (commandline --current-token --cut-at-cursor)
    command $words[1] __complete fish $words "$word" 2>/dev/null
end
complete --command termi --no-files --keep-order --arguments '(__termi_candidates)'
