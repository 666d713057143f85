" What doc/vim.svg shows. Everything in it is real: a look into the history, a server, and a shell that is typed into.
" $PICTURE_LOG and $PICTURE_SERVER are the first two's commands.
set noswapfile noshowcmd noruler laststatus=2 background=dark
runtime plugin/termi.vim

" The whole layout comes first: a program that starts before it is settled is resized while it prints.
TermiSessions
wincmd k
rightbelow split
rightbelow vsplit
execute "normal! 1\<C-w>w15\<C-w>_"

1wincmd w
execute 'TermiRun ++name=log ++open=current' $PICTURE_LOG
3wincmd w
execute 'TermiRun ++name=server ++open=current' $PICTURE_SERVER
2wincmd w
" No shell of the user's, whose configuration may print or prompt in its own way.
execute "TermiRun ++name=shell ++open=current ENV= PS1='$ ' sh"
" Typed before the prompt, it would stand above it.
while getline(1) !~ '^\$'
  sleep 20m
endwhile
TermiSend echo hello from a shell
4wincmd w
redraw!
