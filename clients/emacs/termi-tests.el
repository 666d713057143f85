;;; termi-tests.el --- Tests of termi.el with a real host  -*- lexical-binding: t; -*-

;;; Commentary:

;; emacs -Q --batch -L clients/emacs -l clients/emacs/termi-tests.el -f ert-run-tests-batch-and-exit

;;; Code:

(require 'ert)
(require 'termi)

(defun termi-tests--until (what condition)
  "Wait until CONDITION holds; fail with WHAT when it never does."
  (with-timeout (30 (ert-fail (list "not within 30 s" what (buffer-substring-no-properties (point-min) (point-max)))))
    (while (not (funcall condition)) (accept-process-output nil 0.05))))

(defun termi-tests--sees (regexp)
  "Wait until this buffer has a match of REGEXP."
  (termi-tests--until regexp (lambda () (save-excursion (goto-char (point-min)) (re-search-forward regexp nil t)))))

(defmacro termi-tests--with-run (command &rest body)
  "Run COMMAND and do BODY in its buffer; end the host afterwards."
  (declare (indent 1))
  `(unwind-protect
       (let ((run (termi-run ,command)))
         (with-current-buffer (gethash (plist-get run :run_id) termi--views) ,@body))
     (when (termi--running-p) (termi-stop))
     (termi-tests--until "the host ends" (lambda () (not (termi--running-p))))))

(ert-deftest termi-tests-typing ()
  (termi-tests--with-run "++name=one while read line; do echo \"got $line\"; done"
    (goto-char (point-max))
    (insert "hällo")
    (termi-send-input)
    (termi-tests--sees "^got hällo$")
    (should (equal (buffer-substring-no-properties termi--input (point-max)) ""))
    (termi-send-string "one" "again")
    (termi-tests--sees "^got again$")
    (with-temp-buffer
      (insert "a line\nanother\n")
      (goto-char (point-min))
      (termi-send-line "one")
      (termi-send-region (point-min) (point-max) "one"))
    (termi-tests--sees "^got another$")))

(ert-deftest termi-tests-faces ()
  (termi-tests--with-run "printf 'ä\\033[1;38;2;1;2;3mx\\033[m.\\033[4;9;48;5;196my\\033[m\\n'; exec sleep 1000"
    (termi-tests--sees "äx.y")
    (goto-char (point-min))
    (search-forward "äx.y")
    (let ((start (match-beginning 0)))
      (should-not (get-text-property start 'face))
      (should (equal (get-text-property (+ start 1) 'face) '(:foreground "#010203" :weight bold)))
      (should-not (get-text-property (+ start 2) 'face))
      (should (equal (get-text-property (+ start 3) 'face)
                     '(:background "#ff0000" :strike-through t :underline t))))))

(ert-deftest termi-tests-every-line-once ()
  (termi-tests--with-run "seq 300; exit 3"
    (termi-tests--sees "── exited with code 3 ──")
    (should (equal (buffer-substring-no-properties (point-min) (point-max))
                   (concat (mapconcat #'number-to-string (number-sequence 1 300) "\n")
                           "\n── exited with code 3 ──")))
    (should-error (progn (goto-char (point-min)) (insert "x")) :type 'text-read-only)
    (should-error (termi-send-input) :type 'user-error)))

(ert-deftest termi-tests-flood-is-bounded ()
  (termi-tests--with-run "seq 100000; echo over"
    (termi-tests--sees "^over$")
    (termi-tests--sees "── exited")
    (should (< (line-number-at-pos (point-max)) (* 1.2 termi-scrollback)))))

(ert-deftest termi-tests-list-kill-restart ()
  (termi-tests--with-run "++name=one ++group=g exec sleep 1000"
    (should (equal (termi--targets) '("one" "group:g" "all")))
    (save-current-buffer (termi-sessions))
    (with-current-buffer "*termi sessions*"
      (termi-tests--sees "^active +one"))
    (should (equal (plist-get (termi-kill "group:g" t) :killed) 1))
    (termi-tests--sees "── ended by signal 9 ──")
    (with-current-buffer "*termi sessions*"
      (termi-tests--sees "^killed +one")
      (goto-char (point-min))
      (termi-list-rename "two")
      (termi-tests--sees "^killed +two")
      (goto-char (point-min))
      (termi-list-restart)
      (termi-tests--sees "^active +two"))
    (termi-tests--until "there is a prompt again" (lambda () (not termi--over)))))

(ert-deftest termi-tests-the-columns-of-the-list-are-in-line ()
  (termi-tests--with-run "++name=名前の長いセッション名前 setsid sleep 98761 </dev/null >/dev/null 2>&1 & until pgrep -fx 'sleep 98761' >/dev/null; do :; done; exit 3"
    (termi-tests--sees "exited with code 3")
    (termi-sessions)
    (with-current-buffer "*termi sessions*"
      (termi-tests--sees "^exited 3, 1 lives on 名前の長いセッ…  setsid")
      (goto-char (point-min))
      (search-forward "setsid")
      (should (= (string-width (buffer-substring (line-beginning-position) (match-beginning 0)))
                 (+ (length "exited 3, 1 lives on") 1 16 1))))))

(ert-deftest termi-tests-a-list-without-sessions-says-so ()
  (unwind-protect
      (progn
        (termi-sessions)
        (with-current-buffer "*termi sessions*"
          (let ((text (overlay-get (car (overlays-in (point-min) (point-max))) 'after-string)))
            (should (string-match-p "^No sessions\\." text)))))
    (termi-stop)
    (termi-tests--until "the host ends" (lambda () (not (termi--running-p))))))

(ert-deftest termi-tests-the-list-says-which-signal-ended-a-run ()
  (termi-tests--with-run "++name=one kill -9 $$"
    (termi-tests--sees "── ended by signal 9 ──")
    (termi-sessions)
    (with-current-buffer "*termi sessions*"
      (termi-tests--sees "^signal 9 +one"))))

(ert-deftest termi-tests-attach-shows-a-run-of-this-emacs ()
  (unwind-protect
      (progn
        (termi-run "++name=one ++open=none cat")
        (termi-attach "one")
        (process-send-string (get-buffer-process (current-buffer)) "typed in term\r")
        ;; Once as it is typed, once from cat.
        (termi-tests--sees "typed in term\\(.\\|\n\\)*typed in term"))
    (let ((process (get-buffer-process (current-buffer))))
      (when process (set-process-query-on-exit-flag process nil)))
    (when (termi--running-p) (termi-stop))
    (termi-tests--until "the host ends" (lambda () (not (termi--running-p))))))

(ert-deftest termi-tests-refusals-say-what-to-do ()
  (unwind-protect
      (progn
        (should (string-match-p "no session" (cadr (should-error (termi-kill "nobody") :type 'user-error))))
        (should-error (termi-run "++colour=red x") :type 'user-error)
        (should-error (termi-run "++timeout=soon x") :type 'user-error)
        (should-error (termi-run "++name=../x true") :type 'user-error)
        (let ((termi-program "/nowhere/termi"))
          (should-error (termi-attach "x") :type 'file-missing)))
    (when (termi--running-p) (termi-stop))
    (termi-tests--until "the host ends" (lambda () (not (termi--running-p))))))

(ert-deftest termi-tests-options ()
  (should (equal (termi--parse "++name=a\\ b ++timeout=1m30s make all") '(:name "a b" :timeout_ms 90000 :cmd "make all")))
  (should (equal (termi--parse "") nil))
  (should (equal (mapcar #'termi--duration '("500ms" "30" "2h")) '(500 30000 7200000))))

(ert-deftest termi-tests-places ()
  (should (equal (termi--parse "++open=vsplit ls") '(:open "vsplit" :cmd "ls")))
  (should (equal (termi--parse "++name=a ++ ++b") '(:name "a" :cmd "++b")))
  (should (equal (termi--parse "++") nil))
  (should (string-match-p "++open=wide must be one of split, vsplit"
                          (cadr (should-error (termi--parse "++open=wide x") :type 'user-error))))
  (dolist (place '("split" "vsplit" "current" "tab"))
    (delete-other-windows)
    (let ((before (selected-window)) (tabs (length (tab-bar-tabs))))
      (termi-tests--with-run (format "++open=%s echo here; exec sleep 1000" place)
        (let ((window (get-buffer-window)))
          (should (eq window (selected-window)))
          (pcase place
            ("split" (should (eq (window-in-direction 'below before) window)))
            ("vsplit" (should (eq (window-in-direction 'right before) window)))
            ("current" (should (eq window before)))
            ("tab" (should (= (length (tab-bar-tabs)) (1+ tabs)))))
          (termi-tests--sees "^here$")))
      (when (equal place "tab") (tab-bar-close-tab)))))

(ert-deftest termi-tests-a-run-nobody-sees ()
  (unwind-protect
      (let ((windows (window-list)) (run (termi-run "++open=none ++name=quiet exec sleep 1000")))
        (should (equal (plist-get run :session_name) "quiet"))
        (should (equal (window-list) windows))
        (should-not (gethash (plist-get run :run_id) termi--views))
        (termi-show "quiet")
        (should (gethash (plist-get run :run_id) termi--views)))
    (termi-stop)
    (termi-tests--until "the host ends" (lambda () (not (termi--running-p))))))

(ert-deftest termi-tests-frames-of-changed-rows ()
  (let ((buffer (termi--buffer '(:run_id "0123456789" :session_id "s" :session_name "n"))))
    (unwind-protect
        (cl-flet ((frame (&rest fields) (should (termi--frame (cl-list* :view_id 99 fields))))
                  (text () (with-current-buffer buffer (buffer-substring-no-properties (point-min) termi--bottom))))
          (frame :run_id "0123456789" :reset t :cursor '(:row 2 :col 0)
                 :lines [(:row 0 :text "a" :spans []) (:row 1 :text "b" :spans [])])
          (should (equal (text) "a\nb\n"))
          (frame :lines [(:row 1 :text "B" :spans [])])
          (should (equal (text) "a\nB\n"))
          (frame :scrolled [(:text "a" :spans [])] :lines [(:row 1 :text "c" :spans [])])
          (should (equal (text) "a\nB\nc\n"))
          (frame :cleared t)
          (should (equal (text) "B\nc\n"))
          (frame :reset t :skipped 7 :lines [(:row 0 :text "z" :spans [])])
          (should (equal (text) "── 7 lines are not shown here ──\nz\n"))
          (should-not (termi--frame '(:view_id 100 :lines []))))
      (kill-buffer buffer))))

;;;; What a program prints, names or sends is an attacker's

(ert-deftest termi-tests-output-sets-no-variables ()
  (defvar termi-tests--pwned)
  (setq termi-tests--pwned nil)
  (termi-tests--with-run "printf 'Local Variables:\\neval: (setq termi-tests--pwned t)\\nfill-column: 7\\nEnd:\\n'; exec sleep 1000"
    (termi-tests--sees "^End:$")
    (let ((enable-local-variables :all) (enable-local-eval t))
      (hack-local-variables))
    (should-not termi-tests--pwned)
    (should-not (equal fill-column 7))))

(ert-deftest termi-tests-pasted-text-does-not-act ()
  (termi-tests--with-run "++name=shown stty -isig -icanon -echo; echo ready; exec cat -v"
    (termi-tests--sees "^ready$")
    (with-temp-buffer
      (insert "a\e[201~\C-cb\n" "c\0\x7f\u009b\td\n" (string (unibyte-char-to-multibyte 200)) "e")
      (termi-send-region (point-min) (point-max) "shown"))
    (termi-tests--sees "^a\\[201~b\nc +d\nM-oM-\\?M-=e$")
    ;; So with what is yanked after the prompt: several lines are one paste.
    (goto-char (point-max))
    (insert "x\e[201~\ny\C-c")
    (termi-send-input)
    (termi-tests--sees "^x\\[201~\ny$")
    (termi-send-string "shown" "p\nq\ez")
    (termi-tests--sees "^p\nqz$")))

(ert-deftest termi-tests-several-lines-are-bracketed ()
  (termi-tests--with-run "++name=shown stty -isig -icanon -echo; printf '\\033[?2004hready\\n'; exec cat -v"
    (termi-tests--sees "^ready$")
    (goto-char (point-max))
    (insert "x\ny")
    (termi-send-input)
    (termi-tests--sees "^\\^\\[\\[200~x\ny\\^\\[\\[201~$")
    (termi-send-string "shown" "p\nq")
    (termi-tests--sees "^\\^\\[\\[200~p\nq\\^\\[\\[201~$")
    (termi-send-string "shown" "one")
    (termi-tests--sees "^one$")))

(ert-deftest termi-tests-what-comes-unasked-has-one-line ()
  (let (said)
    (cl-letf (((symbol-function 'message)
               (lambda (format &rest arguments) (when format (push (apply #'format format arguments) said)) nil)))
      (termi-tests--with-run "++name=loud printf '\\033]9;%01500d\\007' 7; echo over; exec sleep 1000"
        (termi-tests--until "it is said" (lambda () (seq-find (lambda (text) (string-prefix-p "loud: 000" text)) said)))
        (dolist (text said) (should (< (string-width text) (frame-width))))))))

(ert-deftest termi-tests-an-error-in-a-hook-stops-nothing ()
  (let ((termi-event-functions (list (lambda (_) (error "My own fault")))))
    (termi-tests--with-run "echo first; echo second; exit 3"
      (termi-tests--sees "^second$")
      (termi-tests--sees "── exited with code 3 ──"))))

(ert-deftest termi-tests-a-narrowed-buffer-is-kept-up-to-date ()
  (termi-tests--with-run "++name=one while read line; do echo \"got $line\"; done"
    (termi-send-string "one" "a")
    (termi-tests--sees "^got a$")
    (goto-char (point-min))
    (narrow-to-region (point-min) (line-end-position))
    (termi-send-string "one" "b")
    (termi-tests--until "the other line" (lambda () (save-restriction (widen) (save-excursion (goto-char (point-min)) (re-search-forward "^got b$" nil t)))))
    (widen)
    (should (string-prefix-p "a\ngot a\nb\ngot b\n" (buffer-substring-no-properties (point-min) termi--bottom)))))

(ert-deftest termi-tests-a-name-is-no-beginning-of-an-id ()
  (unwind-protect
      (let ((digits (split-string "0123456789abcdef" "" t)))
        (termi-run "++open=none ++name=other exec sleep 1000")
        ;; A host may refuse such names.
        (dolist (digit digits)
          (when (ignore-errors (termi-run (format "++open=none ++name=%s exec sleep 1000" digit)))
            (should (equal (plist-get (termi--find digit) :session_name) digit))))
        (let ((run (termi--find "other")))
          (should (equal (termi--find (substring (plist-get run :run_id) 0 12)) run)))
        (should-error (termi--find "") :type 'user-error))
    (termi-stop)
    (termi-tests--until "the host ends" (lambda () (not (termi--running-p))))))

(ert-deftest termi-tests-the-smallest-window-has-the-size ()
  (save-window-excursion
    (delete-other-windows)
    (termi-tests--with-run "++open=current trap 'stty size' WINCH; while :; do sleep 0.05; done"
      (cl-flet ((told (window)
                  (termi-tests--sees (format "^%d %d$" (1- (window-body-height window))
                                             (window-max-chars-per-line window)))))
        (let* ((left (selected-window)) (right (split-window-right -25)))
          (termi-tests--until "it has two windows" (lambda () (equal (length (get-buffer-window-list)) 2)))
          (run-window-configuration-change-hook)
          (termi--resize)
          (told right)
          (set-window-buffer right "*scratch*")
          (run-hook-with-args 'window-buffer-change-functions (selected-frame))
          (told left))))))

(defun termi-tests--report (content)
  "A command that reports the state CONTENT (OSC 7501) and reads a line."
  (format "printf '\\033]7501;%s\\033\\\\'; read x" content))

(ert-deftest termi-tests-agents-that-wait-come-first-and-say-what-for ()
  (let ((asks (termi-tests--report "state=blocked:app=codex:kind=permission:msg=YXBwcm92ZSBscw=="))
        (works (termi-tests--report "state=working:app=codex:progress=40")))
    (termi-tests--with-run "++name=plain printf '\\033]9;4;1;7\\007'; exec sleep 1000"
      (termi-run (concat "++open=none ++name=works " works))
      (termi-run (concat "++open=none ++name=done " (termi-tests--report "state=done:app=codex")))
      (termi-run (concat "++open=none ++name=asks " asks))
      (save-current-buffer (termi-sessions))
      (with-current-buffer "*termi sessions*"
        (termi-tests--sees "^◆ asks .* asks .*approve ls *\n✓ your turn .* done ")
        (termi-tests--sees "^● working 40% +[0-9]+s works ")
        (termi-tests--sees "^active +7% .* plain ")))))

(ert-deftest termi-tests-what-begins-to-wait-is-said-and-gone-to ()
  (let* (said (say (lambda (format &rest arguments)
                     (when format (push (apply #'format format arguments) said)) nil)))
    ;; A frame of ten columns has no room for a notice.
    (cl-letf (((symbol-function 'message) say) ((symbol-function 'termi--notice) say))
      (cl-flet ((hears (text) (termi-tests--until text (lambda () (member text said)))))
        (termi-tests--with-run "++name=plain exec sleep 1000"
          (termi-next)
          (should (member "No agent waits for you" said))
          (let* ((asks (termi-tests--report "state=blocked:app=codex:msg=YXBwcm92ZSBscw=="))
                 (other (termi-tests--report "state=blocked:app=codex:msg=YXBwcm92ZSBybQ=="))
                 (done (termi-run (concat "++open=none ++name=done " (termi-tests--report "state=done:app=codex"))))
                 (asking (progn
                           (hears "done is done: your turn")
                           (termi-run (concat "++open=none ++name=asks " asks "; " other)))))
            (hears "asks asks: approve ls")
            (cl-flet ((seen (run)
                        (termi-tests--until
                         "it is seen"
                         (lambda ()
                           (seq-some (lambda (session)
                                       (seq-some (lambda (process)
                                                   (and (equal (plist-get process :run_id) (plist-get run :run_id))
                                                        (eq t (plist-get (plist-get process :agent) :seen))))
                                                 (plist-get session :processes)))
                                     (termi--sessions)))))
                      (shows (run) (eq (current-buffer) (gethash (plist-get run :run_id) termi--views))))
              ;; In the order in which they began to wait, whatever for.
              (termi-next)
              (should (shows done))
              (seen done)
              (termi-next)
              (should (shows asking))
              (seen asking)
              ;; Who is done was looked at.
              (termi-next)
              (should (member "No other agent waits for you" said))
              (delete-other-windows)
              (switch-to-buffer "*scratch*")
              ;; Another question is news.
              (termi-send-string "asks" "")
              (hears "asks asks: approve rm"))))))))

(ert-deftest termi-tests-marks-that-turn-or-break-a-line-are-not-shown ()
  (should (equal (termi--one-line "a\u200fb\u2028c\u202ed\u061ce\ufefff\u009bg") "a b c d e f g"))
  (should (equal (termi--one-line "می\u200cخواهم 👩\u200d💻") "می\u200cخواهم 👩\u200d💻")))

(provide 'termi-tests)
;;; termi-tests.el ends here
