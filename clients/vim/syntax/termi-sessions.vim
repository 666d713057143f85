if exists('b:current_syntax')
  finish
endif
syntax match termiHeader /\%1l.*/
syntax match termiActive /^active\>/
syntax match termiFailed /^\%(killed\|failed\|timed out\|signal \d\+\|exited \d\+\)\>/
syntax match termiAsks /^◆ asks\%( to log in\)\?/
syntax match termiFailed /^✗ error/
syntax match termiTurn /^✓ your turn/
syntax match termiActive /^● working\%( \+\d\+%\)\?\%( \+\d\+[smhd]\)\?/
highlight default link termiAsks WarningMsg
highlight default link termiTurn Question
highlight default link termiHeader Title
highlight default link termiActive Identifier
highlight default link termiFailed WarningMsg
let b:current_syntax = 'termi-sessions'
