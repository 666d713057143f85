;;; picture.el --- What doc/emacs.svg shows  -*- lexical-binding: t; -*-

;;; Commentary:

;; Everything in it is real: a look into the history, a server, and a shell
;; that is typed into.  $PICTURE_LOG and $PICTURE_SERVER are the first two's
;; commands.

;;; Code:

(require 'termi)
(load-theme 'tango-dark t)
(menu-bar-mode -1)
(setq inhibit-startup-screen t)

;; The whole layout comes first: a program that starts before it is settled is resized while it prints.
(let* ((top (selected-window))
       (list (split-window top -9 'below))
       (shell (split-window top -7 'below))
       (server (split-window shell nil 'right)))
  (cl-flet ((in (window name command)
              (select-window window)
              (termi-run (format "++name=%s ++open=current %s" name command))))
    (in top "log" (getenv "PICTURE_LOG"))
    (in server "server" (getenv "PICTURE_SERVER"))
    ;; No shell of the user's, whose configuration may print or prompt in its own way.
    (in shell "shell" "ENV= PS1='$ ' sh"))
  ;; Typed before the prompt, it would stand above it.
  (while (not (with-current-buffer (window-buffer shell) (string-prefix-p "$" (buffer-string))))
    (accept-process-output nil 0.02))
  (termi-send-string "shell" "echo hello from a shell")
  (select-window list)
  (let ((display-buffer-overriding-action '((display-buffer-same-window))))
    (termi-sessions))
  (message nil))

;;; picture.el ends here
