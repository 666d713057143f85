if exists('b:current_syntax')
  finish
endif
syntax match termiHeader /\%1l.*/
syntax match termiActive /^active\>/
syntax match termiFailed /^\%(killed\|failed\|timed out\|signal \d\+\|exited \d\+\)\>/
highlight default link termiHeader Title
highlight default link termiActive Identifier
highlight default link termiFailed WarningMsg
let b:current_syntax = 'termi-sessions'
