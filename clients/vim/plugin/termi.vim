vim9script noclear
# Defines Termi's commands. Loads nothing else until one of them is used.

if exists('g:loaded_termi')
  finish
endif
g:loaded_termi = true

if !has('patch-9.0.0917') || !has('channel') || !has('job') || !has('textprop')
  echohl WarningMsg
  echomsg 'termi needs Vim 9.0.0917 or newer with +channel, +job and +textprop; its commands are not defined here.'
  echohl None
  finish
endif

import autoload '../autoload/termi/commands.vim'

command -nargs=* -bang -complete=customlist,commands.CompleteRun TermiRun commands.Execute('run', <q-args>, <bang>false)
command -nargs=0 TermiSessions commands.Execute('sessions', '', false)
command -nargs=? -bang -complete=customlist,commands.CompleteTarget TermiKill commands.Execute('kill', <q-args>, <bang>false)
command -nargs=* -bang -range TermiSend commands.Send(<q-args>, <bang>false, <range>, <line1>, <line2>)
command -nargs=* -bang -complete=customlist,commands.CompleteTermi Termi commands.Execute('', <q-args>, <bang>false)

import autoload '../autoload/termi/view.vim'
import autoload '../autoload/termi/agents.vim'
import autoload '../autoload/termi/color.vim'
import autoload '../autoload/termi/list.vim'

augroup termi
  autocmd!
  autocmd VimResized,WinResized * if exists('g:termi_used') | view.Resized() | list.Changed() | endif
  autocmd BufWinEnter,BufHidden,WinClosed,TabEnter * if exists('g:termi_used') | timer_start(0, (_) => view.Visibility()) | endif
  autocmd BufEnter,WinEnter * if exists('g:termi_used') | agents.Look() | endif
  autocmd FocusLost * if exists('g:termi_used') | agents.Focus(false) | endif
  autocmd FocusGained * if exists('g:termi_used') | agents.Focus(true) | endif
  autocmd ColorScheme * if exists('g:termi_used') | color.Renew() | endif
  autocmd BufWipeout termi://* view.Wiped(str2nr(expand('<abuf>')))
augroup END
