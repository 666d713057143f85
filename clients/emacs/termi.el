;;; termi.el --- Programs in sessions, through the Termi host  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT OR Apache-2.0
;; Author: The Termi authors
;; Version: 0.1.0
;; Package-Requires: ((emacs "28.1"))
;; Keywords: processes, terminals, tools

;;; Commentary:

;; Termi runs programs, each on a terminal of its own, and keeps their
;; screens; a flood of output costs Emacs the frames it has time for.
;;
;;   M-x termi-run        start a program, or a shell, in a session
;;   M-x termi-sessions   the live list of sessions
;;   M-x termi-kill       end sessions with all their processes
;;   M-x termi-next       the coding agent that has waited longest for you
;;   M-x termi-send-region, termi-send-line, termi-send-string
;;   M-x termi-attach     a program that uses the whole screen, in `term'
;;
;; A buffer shows what the program printed; what is typed after the
;; prompt at its end goes to the program with RET.
;;
;; To install it, clone Termi, to ~/src/termi say, build the host there
;; with `cargo build --release --locked', and put this into your init file:
;;
;;   (load "~/src/termi/clients/emacs/termi")
;;
;; The host is found in the clone that this file is loaded from.  An
;; installed copy, as from this recipe of package-build or Quelpa, finds
;; it on the variable `exec-path', or by `termi-program':
;;
;;   (termi :fetcher git :url "file:///home/me/src/termi"
;;          :files ("clients/emacs/termi.el"))
;;
;; Sessions end with Emacs.  For those that outlive it, before the first
;; command: (setq termi-host-arguments '("--persist"))
;; A lost connection to the daemon that has them, as by `termi daemon
;; --replace', is made again by itself.
;;
;; With Evil, the list begins in Emacs state, so that its keys are as
;; they are without it, and buffers of runs in insert state.

;;; Code:

(require 'cl-lib)
(require 'eieio)
(require 'jsonrpc)
(require 'seq)
(require 'subr-x)
(require 'tabulated-list)

(declare-function make-term "term")
(declare-function term-mode "term")
(declare-function term-char-mode "term")

(defgroup termi nil
  "Programs in sessions, through the Termi host."
  :group 'processes
  :prefix "termi-")

(defcustom termi-program nil
  "The termi binary.
When nil, it is what this clone of Termi has built, else `termi' on
the variable `exec-path'."
  :type '(choice (const :tag "Find it" nil) file))

(defcustom termi-host-arguments nil
  "More arguments of `termi host'."
  :type '(repeat string))

(defcustom termi-scrollback 5000
  "How many lines that left a screen its buffer keeps."
  :type 'natnum)

(defcustom termi-prompt "» "
  "What stands before the text that is typed to a program."
  :type 'string)

(defcustom termi-notify-agent 'hidden
  "Whether to say that a coding agent asks, is done or stopped at an error.
Only of those that this Emacs started or shows; with `hidden' only
when no window shows it, or Emacs has no focus."
  :type '(choice (const :tag "Out of view" hidden) (const :tag "Always" always) (const :tag "Never" never)))

(defcustom termi-event-functions nil
  "Functions that are called with each event of the host, a plist."
  :type 'hook)

(defface termi-note '((t :inherit shadow))
  "What Termi itself says in a buffer.")

(defface termi-prompt '((t :inherit minibuffer-prompt))
  "The prompt before what is typed.")

;;;; The host

(defclass termi--host (jsonrpc-process-connection) ()
  :documentation "A connection to the host.")

(cl-defmethod jsonrpc-connection-send :around ((_connection termi--host) &rest _message)
  "Send a message, if there is still a host.
A frame that comes while the host ends can no longer be answered;
who waits for an answer notices that the host has ended."
  (condition-case problem (cl-call-next-method)
    (error (when (termi--running-p) (signal (car problem) (cdr problem))))))

(defvar termi--connection nil
  "The connection to the host, or nil.")

(defvar termi--introduced nil
  "Non-nil when the host has answered `initialize'.")

(defvar termi--process nil
  "The process of the connection, or of the last one.")

(defvar termi--stopping nil
  "Non-nil while the host ends because a command asked for it.")

(defvar termi--waiting nil
  "Non-nil while a command waits for an answer, and reports a lost host.")

(defconst termi--rejoin-seconds '(0.1 0.5 1 2 4)
  "The delays before the attempts to make a lost connection again.")

(defvar termi--rejoin-left nil
  "The delays before the attempts that are left.")

(defvar termi--rejoining nil
  "Non-nil while a lost connection to the daemon is made again.")

(defconst termi--repeatable '(sessions attach)
  "Methods that are called again when the connection is lost meanwhile.
Those that do something may have done it.")

(defvar termi--rejoin-timer nil
  "Makes the next attempt.")

(defvar termi--socket nil
  "Where what this Emacs starts reaches the host.")

(defvar termi--methods nil
  "The names of the methods that the host has.")

(defvar termi--log-path nil
  "Where the host's log is.")

(defvar termi--views (make-hash-table :test #'equal)
  "The buffers that show runs, by run id.")

(defvar termi--runs (make-hash-table)
  "The run ids of views, by view id.")

(defvar termi--agents (make-hash-table :test #'equal)
  "The living runs that are agents, plists by run id.
They have :agent, :run_id, :session_id and :session_name, and :told,
since when an event said that it is in its state.")

(defvar termi--own (make-hash-table :test #'equal)
  "The ids of the runs that this Emacs started.")

(defvar termi--starting nil
  "Non-nil while a run is being started: an event may tell of it already.")

(defvar termi--list-asking nil
  "Non-nil while the list is being asked for.
`again' means that it changed meanwhile.")

(defconst termi--directory
  (file-name-directory (or load-file-name buffer-file-name default-directory))
  "Where this file is.")

(defun termi--program ()
  "The termi binary's path."
  (let ((built (expand-file-name "../../target/release/termi" termi--directory)))
    (cond (termi-program (expand-file-name termi-program))
          ((file-executable-p built) built)
          ((executable-find "termi"))
          (t (user-error "Program not found: `termi'; build it with `cargo build --release', or set `termi-program'")))))

(defun termi--running-p ()
  "Non-nil if there is a host."
  (and termi--introduced termi--connection (jsonrpc-running-p termi--connection)))

(defun termi--ensure ()
  "The connection to the host, which is started when there is none.
A lost connection is made again first, at once."
  (when termi--connection (termi--settle termi--connection))
  (when termi--rejoin-timer (termi--rejoin))
  (while termi--rejoining (accept-process-output nil 0.1))
  (unless (termi--running-p)
    (termi--connect)
    (termi--introduce (termi--call 'initialize (termi--introduction))))
  termi--connection)

(defun termi--settle (connection)
  "Let the sentinel of CONNECTION run, if its process has ended.
Emacs may know that before it calls the sentinel."
  (with-timeout (1)
    (while (and (eq connection termi--connection) (not (jsonrpc-running-p connection)))
      (accept-process-output nil 0.1))))

(defun termi--connect ()
  "Start the host, and connect to it."
  (let* ((command (append (list (termi--program) "host" "--rpc" "json") termi-host-arguments))
         (process-connection-type nil)
         (default-directory "/"))
    (setq termi--introduced nil
          termi--connection
          (make-instance
           'termi--host
           :name "termi"
           :events-buffer-scrollback-size 0
           :request-dispatcher #'termi--request
           :notification-dispatcher #'termi--notification
           :on-shutdown #'termi--ended
           ;; The buffer has the name by which `jsonrpc' takes it over; any other it kills, and the host's stderr with it.
           :process (lambda ()
                      (setq termi--process
                            (make-process :name "termi" :command command :connection-type 'pipe
                                          :coding 'utf-8-emacs-unix :noquery t
                                          :stderr (get-buffer-create "*termi stderr*"))))))
    ;; `termi--ended' reports its end; Emacs' own report would overwrite that in the echo area.
    (add-function :around (process-sentinel termi--process)
                  (lambda (sentinel &rest arguments)
                    (let ((inhibit-message t)) (apply sentinel arguments))))))

(defun termi--introduction ()
  "The parameters of `initialize'."
  `(:protocol 1
    :client (:name "emacs" :version ,emacs-version)
    :colors ,(termi--colors)))

(defun termi--introduce (answer)
  "Keep what the host said of itself in ANSWER to `initialize'."
  (setq termi--introduced t
        termi--methods (append (plist-get (plist-get answer :capabilities) :methods) nil)
        termi--log-path (plist-get answer :log_path)
        termi--socket (plist-get answer :socket)))

(defun termi--colors ()
  "The default face's colours, for programs that ask."
  (let ((hex (lambda (color)
               (when-let ((rgb (and color (color-values color))))
                 (apply #'format "#%02x%02x%02x" (mapcar (lambda (part) (ash part -8)) rgb))))))
    (list :foreground (funcall hex (face-foreground 'default nil t))
          :background (funcall hex (face-background 'default nil t)))))

(defun termi--refusal (problem)
  "The host's message in PROBLEM, and the command that lists what it missed."
  (let ((refusal (plist-get problem :data)))
    (concat (plist-get problem :message)
            (and (equal (plist-get refusal :code) "not_found")
                 (plist-get (plist-get refusal :data) :kind)
                 "; M-x termi-sessions lists them"))))

(defun termi--call (method params)
  "Call METHOD with PARAMS, a plist, and wait for the result.
What the host refuses is a `user-error' with its words."
  (let* ((connection (if (eq method 'initialize) termi--connection (termi--ensure)))
         done result refusal)
    ;; `jsonrpc-request' leaves its wait by a throw out of the process filter: a message that came in the same
    ;; piece would lie there until the next one, and after a frame that is not answered there is no next one.
    (jsonrpc-async-request connection method params
                           :timeout 30
                           :success-fn (lambda (answer) (setq result answer done t))
                           ;; That the process has ended is seen, and reported, below.
                           :error-fn (lambda (problem)
                                       (when (jsonrpc-running-p connection)
                                         (setq refusal (termi--refusal problem) done t)))
                           :timeout-fn (lambda () (setq refusal "the host does not answer" done t)))
    (let ((termi--waiting t))
      (while (and (not done) (jsonrpc-running-p connection)) (accept-process-output nil 0.1))
      (termi--settle connection))
    (cond (refusal (user-error "%s" refusal))
          (done result)
          ((and termi--rejoining (memq method termi--repeatable)) (termi--call method params))
          (termi--rejoining (user-error "The connection to the daemon was lost and is being restored; try again"))
          (t (user-error "The host has ended: %s; its log: %s" (termi--last-words) termi--log-path)))))

(defun termi--notify (method params)
  "Send the notification METHOD with PARAMS, if there is a host.
What is typed while a connection is made again waits for it."
  (when (and termi--rejoining (eq method 'input)) (termi--ensure))
  (when (termi--running-p)
    (jsonrpc-notify termi--connection method params)))

(defun termi--request (_connection method params)
  "Answer the host's request METHOD with PARAMS: a frame.
The next frame comes after that; false means that it has no buffer."
  (pcase method
    ('frame (condition-case problem
                (if (termi--frame params) t :json-false)
              (error (termi--notice "Termi: a frame could not be shown: %s" (error-message-string problem))
                     t)))
    (_ t)))

(defun termi--notification (_connection method params)
  "Take the host's notification METHOD with PARAMS: an event."
  (when (eq method 'event)
    (pcase (plist-get params :type)
      ("run_exited"
       (termi--agent-ended (plist-get params :run_id))
       (termi--exited params))
      ("agent_state" (termi--agent-changed params))
      ("run_restarted" (termi--restarted params))
      ("input_dropped"
       (termi--notice "%s does not read: %d bytes of input were dropped"
                      (plist-get params :session_name) (plist-get params :dropped_bytes)))
      ("attention"
       ;; What an agent is doing says more than what it rings for.
       (when (and (plist-get params :message)
                  (not (and (termi--known-agent-p (plist-get params :run_id)) (not (eq termi-notify-agent 'never)))))
         (termi--notice "%s: %s" (plist-get params :session_name) (plist-get params :message)))))
    ;; An error here would leave what came behind the event unread, and a frame unanswered.
    (condition-case problem
        (run-hook-with-args 'termi-event-functions params)
      (error (termi--notice "`termi-event-functions': %s" (error-message-string problem))))
    (termi--list-changed)))

(defconst termi--acting
  (concat "[[:cntrl:]\u0080-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
          "\ufeff\ufff9-\ufffb]+")
  "What acts on a terminal, on the order or on the lines of a text.")

(defun termi--one-line (text)
  "TEXT on one line, without characters that act or are not seen."
  (replace-regexp-in-string termi--acting " " text))

(defun termi--notice (format &rest arguments)
  "Show a message that comes unasked: FORMAT with ARGUMENTS.
It has one line, as what a program says may be long, and stands
beside what is in the minibuffer."
  (let ((text (termi--one-line (apply #'format-message format arguments))))
    (message "%s" (truncate-string-to-width text (max 20 (- (frame-width) 2)) nil nil "…"))))

(defun termi--ended (connection)
  "Go on after CONNECTION has ended: make it again, or say that it is lost."
  (when (eq connection termi--connection)
    (let ((again (and termi--introduced (not termi--stopping) (termi--may-rejoin-p))))
      (setq termi--connection nil termi--list-asking nil)
      (clrhash termi--runs)
      (when again (setq termi--rejoining t termi--rejoin-left termi--rejoin-seconds))
      (cond (termi--rejoining (termi--rejoin-later))
            ((or (not termi--introduced) termi--stopping (eq 0 (process-exit-status termi--process)))
             (termi--lost))
            (t (termi--lost "%s; the next command starts another host"))))))

(defun termi--may-rejoin-p ()
  "Non-nil if the sessions of the connection that ended are still there.
A bridge to the daemon exits with 75 when the daemon was replaced,
and with 1, and a reason, when the daemon ended.  A bridge that was
killed says nothing of the daemon."
  (or (eq (process-exit-status termi--process) 75)
      (and (member "--persist" termi-host-arguments)
           (or (eq (process-status termi--process) 'signal) (termi--closed-p))
           (null (termi--own-words)))))

(defun termi--closed-p ()
  "Non-nil if the host had closed its end when Emacs wrote to it.
Emacs takes it for ended then, with 256 for the code that it does
not know."
  (eq (process-exit-status termi--process) 256))

(defun termi--rejoin-later ()
  "Make the lost connection again after a delay, or give up."
  (if (null termi--rejoin-left)
      (progn (setq termi--rejoining nil)
             (termi--lost "the connection to the daemon was lost (%s); the next command tries again"))
    (setq termi--rejoin-timer (run-at-time (pop termi--rejoin-left) nil #'termi--rejoin))))

(defun termi--rejoin ()
  "Make the lost connection again, and show in each buffer what it missed."
  (when termi--rejoin-timer (cancel-timer termi--rejoin-timer))
  (setq termi--rejoin-timer nil)
  (condition-case nil
      (let ((fail (lambda (&rest _)
                    ;; `termi--ended' follows.
                    (when (process-live-p termi--process) (delete-process termi--process)))))
        (termi--connect)
        (jsonrpc-async-request termi--connection 'initialize (termi--introduction)
                               :timeout 10
                               :success-fn (lambda (answer)
                                             (setq termi--rejoining nil)
                                             (termi--introduce answer)
                                             (mapc #'termi--attach-again (hash-table-values termi--views))
                                             (termi--list-changed))
                               :error-fn fail
                               :timeout-fn fail))
    ;; The host cannot be started at the moment: its program may be missing while it is built.
    (error (termi--rejoin-later))))

(defun termi--own-words ()
  "What the host said of its end, or nil."
  (let* ((buffer (get-buffer " *termi stderr*"))
         (pipe (and buffer (get-buffer-process buffer))))
    ;; They may still be on their way.
    (while (and pipe (process-live-p pipe) (accept-process-output pipe 0.5)))
    (and buffer
         (with-current-buffer buffer
           (let ((lines (split-string (buffer-string) "\n" t "[ \t]+")))
             ;; Emacs itself writes there that the pipe ended.
             (when-let ((line (car (last (seq-remove (lambda (line) (string-prefix-p "Process " line)) lines)))))
               (string-remove-prefix "termi: " line)))))))

(defun termi--last-words ()
  "Why the host has ended: its own words, or how its process ended."
  (cond ((termi--own-words))
        ((termi--closed-p) "the host closed the connection")
        (t (format (if (eq (process-status termi--process) 'signal) "the host ended by signal %d" "the host ended with code %d")
                   (process-exit-status termi--process)))))

(defun termi--lost (&optional message)
  "Say in each buffer that the host has ended, and show MESSAGE, once.
Its `%s' is why the host ended."
  (setq termi--introduced nil termi--stopping nil)
  (dolist (buffer (hash-table-values termi--views))
    (when (buffer-live-p buffer)
      (with-current-buffer buffer (termi--end "the host has ended"))))
  (clrhash termi--views)
  (clrhash termi--agents)
  (clrhash termi--own)
  (termi--list-changed)
  (when (and message (not termi--waiting))
    ;; After the sentinel, which may show nothing.
    (run-at-time 0 nil (lambda () (termi--notice (concat "Termi: " message) (termi--last-words))))))

(defun termi-stop ()
  "End the host, with every program in its sessions."
  (interactive)
  (unless (termi--running-p) (user-error "No host is running"))
  (setq termi--stopping t)
  ;; Emacs may learn of the host's end before it reads the answer.
  (condition-case refusal (termi--call 'shutdown nil)
    (user-error (when (termi--running-p)
                  (setq termi--stopping nil)
                  (signal (car refusal) (cdr refusal))))))

;;;; Looks

(defun termi--color (paint)
  "The colour that PAINT is, as a string, or nil for the default."
  (when (listp paint)
    (let ((index (plist-get paint :indexed)) (rgb (plist-get paint :rgb)))
      (cond (rgb (apply #'format "#%02x%02x%02x" (append rgb nil)))
            ((null index) nil)
            ((< index 16) (termi--theme-color index))
            ((< index 232)
             (let ((cube (- index 16)) (levels [0 95 135 175 215 255]))
               (format "#%02x%02x%02x" (aref levels (/ cube 36)) (aref levels (% (/ cube 6) 6))
                       (aref levels (% cube 6)))))
            (t (let ((grey (+ 8 (* 10 (- index 232))))) (format "#%02x%02x%02x" grey grey grey)))))))

(defun termi--theme-color (index)
  "The theme's colour INDEX, from 0 to 15."
  (require 'ansi-color)
  (let ((name (aref ["black" "red" "green" "yellow" "blue" "magenta" "cyan" "white"] (% index 8))))
    (face-foreground (intern (concat "ansi-color-" (and (>= index 8) "bright-") name)) nil 'default)))

(defun termi--face (span)
  "The face of SPAN."
  (let (face)
    (cl-flet ((look (key value) (setq face (plist-put face key value)))
              (on (key) (eq (plist-get span key) t)))
      (when-let ((color (termi--color (plist-get span :fg)))) (look :foreground color))
      (when-let ((color (termi--color (plist-get span :bg)))) (look :background color))
      (when (on :bold) (look :weight 'bold))
      (when (on :italic) (look :slant 'italic))
      (when (on :inverse) (look :inverse-video t))
      (when (on :strikeout) (look :strike-through t))
      (when (or (plist-get span :underline) (plist-get span :link))
        (look :underline (if (equal (plist-get span :underline) "curl") '(:style wave) t)))
      (when (on :hidden)
        (look :foreground (or (plist-get face :background) (face-background 'default nil 'default))))
      (if (and (on :dim) (not (plist-get face :foreground)))
          (list face 'shadow)
        face))))

(defun termi--text (line)
  "LINE of the protocol as a string with faces."
  (let* ((text (copy-sequence (plist-get line :text)))
         (plain (= (string-bytes text) (length text)))
         (bytes (unless plain (encode-coding-string text 'utf-8)))
         ;; Offsets are bytes of UTF-8.
         (at (lambda (offset)
               (if plain offset (length (decode-coding-string (substring bytes 0 offset) 'utf-8))))))
    (seq-doseq (span (plist-get line :spans))
      (let ((start (funcall at (plist-get span :start))) (end (funcall at (plist-get span :end))))
        (add-text-properties start end (list 'face (termi--face span) 'font-lock-face (termi--face span)) text)
        (when-let ((link (plist-get span :link)))
          (add-text-properties start end (list 'help-echo link) text))))
    text))

;;;; Buffers

(defvar-local termi--run-id nil "The run that the buffer shows.")
(defvar-local termi--session-id nil "The session of the run.")
(defvar-local termi--screen nil "The screen's rows, a vector of lines.")
(defvar-local termi--drawn nil "The rows that the buffer shows, a list.")
(defvar-local termi--top nil "Where the screen begins.")
(defvar-local termi--bottom nil "Where the screen ends and the prompt begins.")
(defvar-local termi--input nil "Where what is typed begins.")
(defvar-local termi--row 0 "The cursor's row.")
(defvar-local termi--over nil "Whether the run has ended.")
(defvar-local termi--size nil "The size that the program was told.")
(defvar-local termi--visible t "Whether the host sends frames of the view.")

(defvar termi-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "RET") #'termi-send-input)
    (define-key map (kbd "C-c C-c") #'termi-interrupt)
    (define-key map (kbd "C-c C-d") #'termi-send-eof)
    (define-key map (kbd "C-c C-k") #'termi-kill)
    (define-key map (kbd "C-c C-l") #'termi-sessions)
    map)
  "Keys in buffers that show runs.")

(define-derived-mode termi-mode fundamental-mode "Termi"
  "Shows a run; what is typed after the prompt goes to it with RET."
  (buffer-disable-undo)
  (setq-local truncate-lines t)
  (setq-local scroll-conservatively 101)
  ;; What a program prints sets no variables, whatever re-reads them.
  (setq-local local-enable-local-variables nil)
  (add-hook 'kill-buffer-hook #'termi--detach nil t))

(defun termi--buffer (run)
  "The buffer of RUN, a plist as `run' answers; made when there is none."
  (let* ((id (plist-get run :run_id)) (known (gethash id termi--views)))
    (if (buffer-live-p known)
        known
      (let ((buffer (generate-new-buffer
                     (format "*termi %s/%s*" (plist-get run :session_name) (substring id 0 8)))))
        (with-current-buffer buffer
          (termi-mode)
          (setq termi--run-id id termi--session-id (plist-get run :session_id)
                termi--top (copy-marker (point-min)) termi--bottom (copy-marker (point-min) t))
          (setq termi--input (copy-marker (point-min)))
          (termi--open))
        (puthash id buffer termi--views)
        buffer))))

(defun termi--open ()
  "Put the prompt at the end of the buffer."
  (let ((inhibit-read-only t))
    (setq termi--over nil)
    (delete-region termi--bottom (point-max))
    (set-marker-insertion-type termi--bottom nil)
    (goto-char (point-max))
    (insert (propertize termi-prompt 'read-only t 'face 'termi-prompt 'font-lock-face 'termi-prompt
                        'front-sticky t 'rear-nonsticky t))
    (set-marker termi--input (point))
    (set-marker-insertion-type termi--bottom t)))

(defun termi--frame (frame)
  "Take FRAME in.  Return nil when its run has no buffer."
  (let* ((id (or (plist-get frame :run_id) (gethash (plist-get frame :view_id) termi--runs)))
         (buffer (gethash id termi--views)))
    (when (buffer-live-p buffer)
      (puthash (plist-get frame :view_id) id termi--runs)
      (with-current-buffer buffer
        (let ((inhibit-read-only t) (scrolled (append (plist-get frame :scrolled) nil))
              (skipped (or (plist-get frame :skipped) 0)))
          (save-excursion
            (save-restriction
              (widen)
              (when (eq (plist-get frame :reset) t)
                (delete-region (point-min) termi--bottom)
                (set-marker termi--top (point-min))
                (setq termi--screen nil termi--drawn nil))
              (when (eq (plist-get frame :cleared) t)
                (delete-region (point-min) termi--top))
              (when (> skipped 0)
                (termi--scroll (list (list :text (format "── %d lines are not shown here ──" skipped)))))
              (termi--scroll scrolled)
              (setq termi--screen (nthcdr (length scrolled) termi--screen))
              (termi--take-rows (append (plist-get frame :lines) nil))
              (when-let ((cursor (plist-get frame :cursor)))
                (setq termi--row (plist-get cursor :row)))
              (termi--draw))))
        (set-buffer-modified-p nil))
      t)))

(defun termi--take-rows (lines)
  "Take LINES of a frame: those with a row replace it, else they are the screen."
  (let ((screen (vconcat termi--screen)) (number 0))
    (dolist (line lines)
      (let ((row (or (plist-get line :row) number)))
        (when (>= row (length screen))
          (setq screen (vconcat screen (make-list (- (1+ row) (length screen)) '(:text "")))))
        (aset screen row (list :text (plist-get line :text) :spans (plist-get line :spans)))
        (cl-incf number)))
    (setq termi--screen (append screen nil))))

(defun termi--put (text)
  "Insert TEXT and a line end, not to be changed by typing."
  (let ((start (point)))
    (insert text "\n")
    (add-text-properties start (point) '(read-only t front-sticky (read-only)))))

(defun termi--scroll (lines)
  "Put LINES at the end of the scrollback, and drop what is over the limit."
  (when lines
    (goto-char termi--top)
    (dolist (line lines) (termi--put (termi--text line)))
    (set-marker termi--top (point))
    (let ((over (- (line-number-at-pos) 1 termi-scrollback)))
      ;; Some at a time, not one for each new line.
      (when (> over (/ termi-scrollback 10))
        (goto-char (point-min))
        (forward-line over)
        (delete-region (point-min) (point))))))

(defun termi--draw ()
  "Show the screen: to its last row with text, or with the cursor."
  (let* ((least (if termi--over 0 (1+ termi--row)))
         (rows termi--screen)
         (shown (let ((last 0) (number 0))
                  (dolist (row rows)
                    (cl-incf number)
                    (unless (string-empty-p (plist-get row :text)) (setq last number)))
                  (seq-take rows (max last (min least (length rows))))))
         (drawn termi--drawn))
    (goto-char termi--top)
    (dolist (row shown)
      (cond ((null drawn) (termi--put (termi--text row)))
            ((equal row (car drawn)) (forward-line 1))
            (t (delete-region (point) (progn (forward-line 1) (point)))
               (termi--put (termi--text row))))
      (setq drawn (cdr drawn)))
    (when drawn
      (delete-region (point) (progn (forward-line (length drawn)) (point))))
    (setq termi--drawn shown)))

(defun termi--exited (event)
  "Say in the buffer how the run of EVENT ended."
  (let ((buffer (gethash (plist-get event :run_id) termi--views)))
    (when (buffer-live-p buffer)
      (with-current-buffer buffer
        (let* ((exit (plist-get event :exit)) (signal (plist-get exit :signal)))
          (termi--end (concat (if signal (format "ended by signal %d" signal)
                                (format "exited with code %s" (plist-get exit :code)))
                              (when-let ((reason (plist-get event :reason)))
                                (format " (%s)" reason)))))))))

(defun termi--end (how)
  "Take the prompt away and say HOW the run ended."
  (unless termi--over
    (let ((inhibit-read-only t) (at-end (>= (point) termi--bottom)))
      (setq termi--over t)
      (save-excursion
        (save-restriction
          (widen)
          (termi--draw)
          (delete-region termi--bottom (point-max))
          (set-marker-insertion-type termi--bottom nil)
          (goto-char (point-max))
          (insert (propertize (format "── %s ──" how) 'face 'termi-note 'font-lock-face 'termi-note 'read-only t))
          (set-marker-insertion-type termi--bottom t)))
      (when at-end (goto-char (point-max)))
      (set-buffer-modified-p nil))))

(defun termi--restarted (event)
  "Give the buffer of EVENT's run its prompt again."
  (let ((buffer (gethash (plist-get event :run_id) termi--views)))
    (when (buffer-live-p buffer)
      (with-current-buffer buffer
        (when termi--over (save-restriction (widen) (termi--open)))))))

(defun termi--detach ()
  "Close the view of this buffer; its run lives on."
  (when termi--run-id
    (remhash termi--run-id termi--views)
    (termi--notify 'detach (list :run_id termi--run-id))))

(defun termi--window-size (window)
  "The size of a program's terminal in WINDOW: one line is for typing."
  (cons (max 1 (1- (window-body-height window)))
        (max 1 (- (window-max-chars-per-line window)
                  (if (buffer-local-value 'display-line-numbers (window-buffer window))
                      (with-selected-window window (ceiling (line-number-display-width 'columns)))
                    0)))))

(defun termi--smallest-size (buffer)
  "The size for the program of BUFFER, that of its smallest window.
Nil when no window shows it."
  (when-let ((sizes (mapcar #'termi--window-size (get-buffer-window-list buffer nil t))))
    (list :rows (apply #'min (mapcar #'car sizes)) :cols (apply #'min (mapcar #'cdr sizes)))))

(defun termi--resize (&rest _)
  "Tell programs the sizes of the windows that show them.
A view that no window shows gets no frames until one does."
  (dolist (buffer (hash-table-values termi--views))
    (when (buffer-live-p buffer)
      (with-current-buffer buffer
        (let* ((shown (termi--smallest-size buffer)) (size (and (not termi--over) shown)))
          (unless (eq termi--visible (and shown t))
            (setq termi--visible (and shown t))
            (termi--notify 'visible (list :run_id termi--run-id :visible (or termi--visible :json-false))))
          (when (and size (not (equal size termi--size)))
            (setq termi--size size)
            (termi--notify 'resize (cl-list* :run_id termi--run-id size))))))))

;; For all frames: a window that shows another buffer now, or a frame that is gone, was perhaps the smallest.
(add-hook 'window-size-change-functions #'termi--resize)
(add-hook 'window-buffer-change-functions #'termi--resize)
(add-hook 'after-delete-frame-functions #'termi--resize)

;;;; Commands

(defconst termi--options
  '(("session" . :session) ("name" . :name) ("group" . :group) ("cwd" . :cwd)
    ("timeout" . :timeout_ms) ("idle" . :idle_timeout_ms) ("template" . :template) ("open" . :open))
  "What `++key=value' before a command sets.")

(defconst termi--places '("split" "vsplit" "tab" "float" "current" "none")
  "What there is for `++open='.")

(defun termi--duration (text)
  "Milliseconds of TEXT: 500ms, 30s, 5m, 1h30m; a plain number is seconds."
  (let ((left (if (string-match-p "\\`[0-9.]+\\'" text) (concat text "s") text)) (total 0))
    (while (string-match "\\`\\([0-9]+\\(?:\\.[0-9]+\\)?\\)\\(ms\\|s\\|m\\|h\\)" left)
      (cl-incf total (* (string-to-number (match-string 1 left))
                        (pcase (match-string 2 left) ("ms" 1) ("s" 1000) ("m" 60000) ("h" 3600000))))
      (setq left (substring left (match-end 0))))
    (if (and (string-empty-p left) (> total 0))
        (round total)
      (user-error "%s is not a duration; write 500ms, 30s, 5m or 1h; a plain number is seconds" text))))

(defun termi--parse (line)
  "The parameters of `run' in LINE: options first, then the command."
  (let ((params nil) (rest (string-trim-left line)))
    (while (string-match "\\`\\+\\+\\([a-z]+\\)=\\(\\(?:\\\\[ \\]\\|[^ \t]\\)+\\)[ \t]*" rest)
      (let* ((name (match-string 1 rest)) (after (substring rest (match-end 0)))
             (value (replace-regexp-in-string "\\\\\\([ \\]\\)" "\\1" (match-string 2 rest)))
             (key (or (cdr (assoc name termi--options))
                      (user-error "++%s is not an option; there are ++%s" name
                                  (mapconcat #'car termi--options ", ++")))))
        (setq params (plist-put params key
                                (pcase key
                                  ((or :timeout_ms :idle_timeout_ms) (termi--duration value))
                                  (:cwd (expand-file-name value))
                                  (:open (if (member value termi--places) value
                                           (user-error "++open=%s must be one of %s" value
                                                       (string-join termi--places ", "))))
                                  (_ value)))
              rest after)))
    (cond ((string-match "\\`\\+\\+\\(?:[ \t]+\\|\\'\\)" rest)
           (setq rest (substring rest (match-end 0))))
          ((string-prefix-p "++" rest)
           (user-error "%s: an option needs a value: ++name=…" (car (split-string rest)))))
    (unless (string-empty-p rest) (setq params (plist-put params :cmd rest)))
    params))

;;;###autoload
(defun termi-run (command)
  "Run COMMAND in a session and show it; an empty one is a shell.
Before the command there may be options: ++session=, ++name=,
++group=, ++cwd=, ++timeout=, ++idle=, ++template=, and ++open=,
which is where to show it: split, vsplit, tab, float (a frame of its
own), current, or none.  `++' alone ends the options.  Returns what
the host answered, a plist."
  (interactive (list (read-shell-command "Run (empty: a shell): ")))
  (let* ((parsed (termi--parse command)) (open (plist-get parsed :open))
         ;; That one is not for the host.
         (params (cl-loop for (key value) on parsed by #'cddr
                          unless (eq key :open) append (list key value))))
    (unless (plist-get params :cwd)
      (setq params (plist-put params :cwd (expand-file-name default-directory))))
    (unless (equal open "none")
      (setq params (plist-put params :size (termi--expected-size open))))
    (let ((run (let ((termi--starting t)) (termi--call 'run params))))
      (puthash (plist-get run :run_id) t termi--own)
      (unless (equal open "none") (termi--show run open))
      run)))

(defun termi--expected-size (open)
  "The size of the window at the place OPEN, before there is one.
What a program prints until its buffer is shown wraps there."
  (let ((here (termi--window-size (selected-window))))
    (list :rows (car here)
          :cols (pcase open
                  ("current" (cdr here))
                  ("vsplit" (max 1 (1- (/ (window-total-width) 2))))
                  (_ (max 1 (1- (frame-width))))))))

(defun termi--float ()
  "The window of a new frame, above this one where frames can float."
  (frame-selected-window
   (make-frame (and (display-graphic-p)
                    `((parent-frame . ,(selected-frame)) (minibuffer . nil)
                      (left . 0.5) (top . 0.5) (width . 0.75) (height . 0.5))))))

(defun termi--window (buffer open)
  "Show BUFFER at the place OPEN, one of `termi--places', or nil.
Return its window.  Where there is no room for that, it is shown as
any other buffer is."
  (let ((window (pcase open
                  ("split" (ignore-error error (split-window nil nil 'below)))
                  ("vsplit" (ignore-error error (split-window nil nil 'right)))
                  ("tab" (tab-bar-new-tab) (selected-window))
                  ("float" (termi--float))
                  ("current" (pop-to-buffer-same-window buffer) (get-buffer-window buffer)))))
    (if (not window)
        (display-buffer buffer)
      (set-window-buffer window buffer)
      (select-frame-set-input-focus (window-frame window))
      window)))

(defun termi--show (run &optional open)
  "Show RUN in a window, at the place OPEN if not nil."
  (let* ((buffer (termi--buffer run)) (window (termi--window buffer open)))
    (when window (select-window window))
    (with-current-buffer buffer
      (goto-char (point-max))
      (setq termi--size (termi--smallest-size buffer))
      (termi--attached (termi--call 'attach (termi--attach-params))))
    buffer))

(defun termi--attach-params ()
  "The parameters of `attach' for this buffer."
  (list :run_id termi--run-id :format "spans" :size termi--size :scrollback termi-scrollback))

(defun termi--attached (answer)
  "Take ANSWER to this buffer's `attach' in."
  (puthash (plist-get answer :view_id) termi--run-id termi--runs)
  (setq termi--visible t)
  (when (plist-get answer :exit) (termi--exited answer)))

(defun termi--attach-again (buffer)
  "Attach BUFFER to its run after the connection was made again.
The first frame has all of its text."
  (when (buffer-live-p buffer)
    (with-current-buffer buffer
      (setq termi--size (or (termi--smallest-size buffer) termi--size))
      (jsonrpc-async-request termi--connection 'attach (termi--attach-params)
                             :timeout 30
                             :success-fn (lambda (answer)
                                           (when (buffer-live-p buffer)
                                             (with-current-buffer buffer (termi--attached answer))
                                             ;; It may have been restarted meanwhile; a later event is yet to come.
                                             (unless (plist-get answer :exit) (termi--restarted answer))
                                             (termi--resize)))
                             :error-fn (lambda (_)
                                         ;; When the connection is lost anew, the next one attaches it.
                                         (when (and (termi--running-p) (buffer-live-p buffer))
                                           (with-current-buffer buffer
                                             (termi--end "the daemon no longer has this run")
                                             (remhash termi--run-id termi--views))))))))

(defun termi--sessions ()
  "All sessions, a list of plists with their :session_id."
  (let ((answer (termi--call 'sessions nil)))
    (cl-loop for (key session) on answer by #'cddr
             collect (cl-list* :session_id (substring (symbol-name key) 1) session))))

(defun termi--targets ()
  "What can be killed or shown: names, groups and `all'."
  (let ((sessions (termi--sessions)))
    (append (mapcar (lambda (session) (plist-get session :name)) sessions)
            (delete-dups
             (cl-loop for session in sessions
                      when (plist-get session :group) collect (concat "group:" (plist-get session :group))))
            '("all"))))

(defun termi--read-target (prompt)
  "Ask for a target with PROMPT; this buffer's session is the default."
  (let ((here (and termi--session-id
                   (cl-loop for session in (termi--sessions)
                            when (equal (plist-get session :session_id) termi--session-id)
                            return (plist-get session :name)))))
    (completing-read (format-prompt prompt here) (termi--targets) nil nil nil nil here)))

;;;###autoload
(defun termi-kill (target &optional now)
  "End what TARGET names, with all processes; say how many there were.
With prefix argument NOW, at once with SIGKILL."
  (interactive (list (termi--read-target "Kill") current-prefix-arg))
  (let ((reply (termi--call 'kill (append (list :target target)
                                          (and now '(:signal "KILL" :grace_ms 0))))))
    (message "Killed %d/%d processes" (plist-get reply :killed) (plist-get reply :total))
    reply))

;;;###autoload
(defun termi-show (target)
  "Show the newest run of the session TARGET."
  (interactive (list (termi--read-target "Show")))
  (termi--show (termi--find target)))

(defun termi--find (target)
  "The newest run of the session that TARGET names, or the run of that id.
A name is that before it is the beginning of an id, which anybody's
program may have."
  (let (named begun)
    (dolist (session (termi--sessions))
      (seq-doseq (process (plist-get session :processes))
        (let* ((id (plist-get session :session_id)) (run-id (plist-get process :run_id))
               (run (list :run_id run-id :session_id id :session_name (plist-get session :name))))
          (cond ((member target (list (plist-get session :name) id run-id)) (push run named))
                ((and (>= (length target) 4) (or (string-prefix-p target id) (string-prefix-p target run-id)))
                 (push run begun))))))
    (let ((found (or named begun)))
      (unless found (user-error "No session or run matches `%s'" target))
      (when (cdr (delete-dups (mapcar (lambda (run) (plist-get run :session_id)) found)))
        (user-error "`%s' is the beginning of more than one id; write more of it" target))
      (car found))))

(defun termi--type (run-id text)
  "Type TEXT into RUN-ID."
  (termi--notify 'input (list :run_id run-id :data text)))

(defun termi--plain (text)
  "TEXT without control characters, line ends and tabs apart.
Pasted, one would act as a key, or end the paste.  A byte that is
no character becomes one that says so."
  (replace-regexp-in-string
   "[\x3fff80-\x3fffff]" "\ufffd"
   (replace-regexp-in-string "[\0-\b\v-\x1f\x7f\u0080-\u009f]" "" text)))

(defun termi--paste (run-id text)
  "Paste TEXT into RUN-ID; the host brackets it if the program asked for that."
  (termi--notify 'input (list :run_id run-id :data (termi--plain text) :paste t)))

(defun termi--type-line (run-id text)
  "Give RUN-ID the TEXT and Return: typed, or if it has several lines pasted."
  (if (and (equal text (termi--plain text)) (not (string-search "\n" text)))
      (termi--type run-id (concat text "\r"))
    (termi--paste run-id text)
    (termi--type run-id "\r")))

(defun termi-send-input ()
  "Send what is typed after the prompt, and Return."
  (interactive)
  (when termi--over (user-error "The run has ended; `termi-sessions' can restart it"))
  (if (< (point) termi--input)
      (goto-char (point-max))
    (let ((text (buffer-substring-no-properties termi--input (point-max))))
      (delete-region termi--input (point-max))
      (termi--type-line termi--run-id text))))

(defun termi-interrupt ()
  "Type \\`C-c' into this buffer's run."
  (interactive)
  (termi--type termi--run-id "\C-c"))

(defun termi-send-eof ()
  "Type \\`C-d' into this buffer's run."
  (interactive)
  (termi--type termi--run-id "\C-d"))

;;;###autoload
(defun termi-send-string (target text)
  "Type TEXT and Return into the session TARGET; several lines are pasted."
  (interactive (list (termi--read-target "Send to") (read-string "Text: ")))
  (termi--type-line (plist-get (termi--find target) :run_id) text))

;;;###autoload
(defun termi-send-region (start end target)
  "Paste the text from START to END into the session TARGET, and Return."
  (interactive (list (region-beginning) (region-end) (termi--read-target "Send to")))
  (let ((run-id (plist-get (termi--find target) :run_id)))
    (termi--paste run-id (string-trim-right (buffer-substring-no-properties start end) "\n+"))
    (termi--type run-id "\r")))

;;;###autoload
(defun termi-send-line (target)
  "Paste this line into the session TARGET, and Return."
  (interactive (list (termi--read-target "Send to")))
  (termi-send-region (line-beginning-position) (line-end-position) target))

;;;###autoload
(defun termi-attach (target)
  "Show TARGET with `termi attach' in `term', for whole-screen programs."
  (interactive (list (termi--read-target "Attach to")))
  (let ((program (termi--program)))
    (unless (eq 0 (call-process program nil nil nil "attach" "--help"))
      (user-error "`%s' has no `attach' command: it is an older version; update it" program))
    (require 'term)
    (let* ((found (termi--find target))
           (run (concat (plist-get found :session_id) ":" (plist-get found :run_id)))
           ;; This Emacs' own host is found by its socket.
           (process-environment (append (and termi--socket (list (concat "TERMI_SOCKET=" termi--socket)))
                                        process-environment))
           (buffer (make-term (concat "termi attach " (plist-get found :session_name)) program nil "attach" run)))
      (with-current-buffer buffer
        (term-mode)
        (term-char-mode))
      (pop-to-buffer buffer))))

;;;; Coding agents

(defconst termi--agent-ranks '(("blocked" . 1) ("error" . 2) ("done" . 3) ("working" . 4))
  "How much agents want a person: the lowest most, of the rest none does.")

(defun termi--agent-rank (agent)
  "The rank of AGENT's state."
  (alist-get (plist-get agent :state) termi--agent-ranks 5 nil #'equal))

(defun termi--agent-seen-p (agent)
  "Non-nil if somebody looked at AGENT since its state began."
  (eq (plist-get agent :seen) t))

(defun termi--agent-waits-p (agent)
  "Non-nil if AGENT waits for a person.
One that is blocked does so until it is answered, one that is done
or stopped at an error until somebody looks at it."
  (pcase (plist-get agent :state)
    ("blocked" t)
    ((or "done" "error") (not (termi--agent-seen-p agent)))))

(defun termi--agent-of (process)
  "What PROCESS is as an agent, or nil."
  (and (equal (plist-get process :status) "active") (plist-get process :agent)))

(defun termi--known-agent-p (run-id)
  "Non-nil if RUN-ID is an agent of which is known what it is doing."
  (when-let ((run (gethash run-id termi--agents)))
    (not (equal (plist-get (plist-get run :agent) :state) "unknown"))))

(defun termi--agents-take (answer)
  "Keep the agents in ANSWER of `sessions'."
  (let ((before (copy-hash-table termi--agents)))
    (clrhash termi--agents)
    (cl-loop for (key session) on answer by #'cddr do
             (seq-doseq (process (plist-get session :processes))
               (when-let ((agent (termi--agent-of process)) (id (plist-get process :run_id)))
                 (puthash id (list :agent agent :run_id id :session_id (substring (symbol-name key) 1)
                                   :session_name (plist-get session :name)
                                   :told (plist-get (gethash id before) :told))
                          termi--agents))))
    (termi--agent-look)))

(defun termi--agent-ended (run-id)
  "Forget RUN-ID: it is no agent, or has ended."
  (remhash run-id termi--agents))

(defun termi--agent-changed (event)
  "Take in EVENT about what an agent is doing."
  (let* ((id (plist-get event :run_id)) (agent (plist-get event :agent)) (since (plist-get agent :since))
         (told (plist-get (gethash id termi--agents) :told)))
    (if (null agent)
        (termi--agent-ended id)
      (puthash id (list :agent agent :run_id id :session_id (plist-get event :session_id)
                        :session_name (plist-get event :session_name) :told since)
               termi--agents)
      ;; One that asks something else has begun to wait anew.
      (unless (and (equal (plist-get event :was) (plist-get agent :state)) (equal (or told since) since))
        (termi--agent-tell (gethash id termi--agents)))
      (termi--agent-look))))

(defun termi--focus-p ()
  "Non-nil unless it is known that no frame of Emacs has the focus."
  (or noninteractive (seq-some (lambda (frame) (memq (frame-focus-state frame) '(t unknown))) (frame-list))))

(defvar termi--agent-news nil
  "Conses of run id and state of agents that have begun to wait.
They are told together, and not before it is known who started them.")

(defun termi--agent-tell (run)
  "Say soon that the agent RUN has begun to wait, unless a person sees it."
  (unless termi--agent-news (run-at-time 0.05 nil #'termi--agent-tell-all))
  (push (cons (plist-get run :run_id) (plist-get (plist-get run :agent) :state)) termi--agent-news))

(defun termi--agent-tell-all ()
  "Say which agents have begun to wait."
  (if termi--starting
      (run-at-time 0.05 nil #'termi--agent-tell-all)
    (termi--agent-tell-now)))

(defun termi--agent-tell-now ()
  "Say which agents have begun to wait, now that it is known whose they are."
  (let* ((news (prog1 (delete-dups (nreverse termi--agent-news)) (setq termi--agent-news nil)))
         (runs (mapcar (lambda (item) (gethash (car item) termi--agents))
                       (seq-filter (lambda (item) (termi--agent-to-be-told-p (car item) (cdr item))) news)))
         (texts (mapcar #'termi--agent-told runs))
         (asked (plist-get (plist-get (car runs) :agent) :message)))
    (cond ((null runs))
          ((cdr runs) (termi--notice "%d agents: %s" (length runs) (string-join texts ", ")))
          ((or (member asked '(nil "")) (equal (plist-get (plist-get (car runs) :agent) :state) "done"))
           (termi--notice "%s" (car texts)))
          (t (termi--notice "%s: %s" (car texts) asked)))))

(defun termi--agent-to-be-told-p (run-id state)
  "Non-nil if it is to be said that RUN-ID is in STATE, as it still is."
  (let* ((run (gethash run-id termi--agents)) (agent (plist-get run :agent)) (buffer (gethash run-id termi--views))
         (shown (buffer-live-p buffer)))
    (and agent (equal (plist-get agent :state) state) (termi--agent-waits-p agent)
         (or shown (gethash run-id termi--own))
         (pcase termi-notify-agent
           ('always t)
           ('hidden (not (or (termi--agent-seen-p agent)
                             (and shown (termi--focus-p) (get-buffer-window buffer 'visible)))))))))

(defun termi--agent-told (run)
  "What the agent RUN does, for a message."
  (concat (plist-get run :session_name)
          (pcase (plist-get (plist-get run :agent) :state)
            ("blocked" " asks")
            ("error" " stopped at an error")
            (_ " is done: your turn"))))

(defun termi--agent-look (&rest _)
  "Note that the agent in the selected window is seen.
Its host is told so once a state."
  (when-let ((id (buffer-local-value 'termi--run-id (window-buffer (selected-window))))
             (run (gethash id termi--agents))
             (agent (plist-get run :agent)))
    (when (and (termi--focus-p) (not (termi--agent-seen-p agent))
               (member (plist-get agent :state) '("blocked" "error" "done")))
      (plist-put agent :seen t)
      (when (and (termi--running-p) (member "seen" termi--methods))
        ;; Who may only read is refused, and has looked at it all the same.
        (jsonrpc-async-request termi--connection 'seen (list :run_id id)
                               :success-fn #'ignore :error-fn #'ignore :timeout-fn #'ignore)))))

(add-hook 'window-selection-change-functions #'termi--agent-look)
(add-hook 'window-buffer-change-functions #'termi--agent-look)
(add-function :after after-focus-change-function #'termi--agent-look)

(defun termi--agent-order (process)
  "Where PROCESS stands among others: a list of numbers.
Agents that wait come first, who began to wait first before others."
  (let ((agent (termi--agent-of process)))
    (if (and agent (termi--agent-waits-p agent))
        (list (termi--agent-rank agent) (plist-get agent :since))
      (list 5 0))))

(defun termi--agent-status (process)
  "What PROCESS is doing, if it is an agent or reports its progress, or nil."
  (let* ((agent (termi--agent-of process)) (percent (plist-get agent :progress))
         (far (and (equal (plist-get process :status) "active")
                   (plist-get (plist-get process :progress) :percent))))
    (or (pcase (plist-get agent :state)
          ("blocked" (propertize (if (equal (plist-get agent :kind) "auth") "◆ asks to log in" "◆ asks")
                                 'face 'termi-agent-waits))
          ("error" (propertize "✗ error" 'face 'termi-agent-waits))
          ("done" (if (termi--agent-seen-p agent) "✓ your turn" (propertize "✓ your turn" 'face 'termi-agent-done)))
          ;; Of one width, so that what follows stays in its column.
          ("working" (concat "● working" (and percent (format " %2d%%" percent))
                             (format " %3s" (termi--short-age
                                             (max 0 (- (time-convert nil 'integer)
                                                       (/ (plist-get agent :since) 1000)))))))
          ("ready" "✓ ready")
          ("starting" "◌ starting"))
        (and far (format "active %2d%%" far)))))

(defun termi--short-age (seconds)
  "SECONDS as 5s, 4m, 2h or 3d."
  (cond ((< seconds 60) (format "%ds" seconds))
        ((< seconds 3600) (format "%dm" (/ seconds 60)))
        ((< seconds 86400) (format "%dh" (/ seconds 3600)))
        (t (format "%dd" (/ seconds 86400)))))

(defun termi--agent-line (process)
  "What PROCESS asks or is about, if it is an agent, else its last line.
The last line of an agent's screen is a hint at its keys."
  (let ((agent (termi--agent-of process)))
    (or (seq-find (lambda (text) (not (member text '(nil ""))))
                  (list (plist-get agent :message) (plist-get agent :title) (plist-get process :last_line)))
        "")))

(defun termi--agent-before-p (a b)
  "Whether the run A began to wait before the run B, whatever for."
  (cl-flet ((place (run)
              (list (plist-get (plist-get run :agent) :since) (plist-get run :run_id))))
    (termi--before-p (place a) (place b))))

;;;###autoload
(defun termi-next ()
  "Show the agent that has waited longest for you.
From one that has waited it is the one that began after it, round and round:
one that was looked at meanwhile keeps its place."
  (interactive)
  (termi--agents-take (termi--call 'sessions nil))
  (let* ((run (and termi--run-id (gethash termi--run-id termi--agents)))
         (here (and (member (plist-get (plist-get run :agent) :state) '("blocked" "error" "done")) run))
         (waiting (sort (seq-filter (lambda (run) (termi--agent-waits-p (plist-get run :agent)))
                                    (hash-table-values termi--agents))
                        #'termi--agent-before-p))
         (chosen (or (and here (seq-find (lambda (run) (termi--agent-before-p here run)) waiting))
                     (car waiting))))
    (cond ((null chosen) (message "No agent waits for you"))
          ((equal (plist-get chosen :run_id) termi--run-id) (message "No other agent waits for you"))
          (t (termi--show chosen)
             (termi--agent-look)))))

;;;; The list

(defface termi-agent-waits '((t :inherit warning))
  "The state of an agent that is blocked, or stopped at an error.")

(defface termi-agent-done '((t :inherit success))
  "The state of an agent that is done.")

(defvar termi--list-timer nil
  "Renews the list while it is shown.")

(defvar termi-sessions-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "RET") #'termi-list-show)
    (define-key map (kbd "k") #'termi-list-kill)
    (define-key map (kbd "R") #'termi-list-restart)
    (define-key map (kbd "r") #'termi-list-rename)
    (define-key map (kbd "x") #'termi-list-remove)
    map)
  "Keys in the list of sessions.")

(defconst termi--list-columns
  '(("Status" :steady 10 :most 24 :sort t)
    ("Name" :steady 16 :least 12 :most 32 :sort t)
    ("Command" :steady 26 :least 10 :most 26 :sort t :drop 5)
    ("PID" :steady 8 :most 10 :sort t :right t :drop 1)
    ("Age" :steady 6 :most 8 :right t :drop 6)
    ("CPU" :steady 5 :most 8 :right t :drop 3)
    ("Memory" :steady 8 :most 8 :right t :drop 2)
    ("Last line" :least 12 :most 1000 :drop 4))
  "The columns of the list.
They are at least `:steady' wide, so that they do not move with each
value, and at most `:most'.  In a small window those with `:least'
are cut down to that; then columns are dropped, that with the lowest
`:drop' first, as in Neovim's list.")

(defconst termi--list-roomy 110
  "In a window of this width the names may have all of their column.")

(define-derived-mode termi-sessions-mode tabulated-list-mode "Termi-Sessions"
  "The live list of sessions."
  (setq tabulated-list-format (termi--list-format nil 100))
  ;; What fits changes with the window.
  (add-hook 'window-size-change-functions #'termi--list-changed nil t)
  (add-hook 'tabulated-list-revert-hook #'termi--list-entries nil t)
  (tabulated-list-init-header))

;;;###autoload
(defun termi-sessions ()
  "Show the live list of sessions."
  (interactive)
  (termi--ensure)
  (let ((buffer (get-buffer-create "*termi sessions*")))
    (with-current-buffer buffer
      (unless (derived-mode-p 'termi-sessions-mode) (termi-sessions-mode))
      (termi--list-entries))
    (unless termi--list-timer
      ;; Ages, processor use and memory change without an event.
      (setq termi--list-timer (run-at-time 2 2 #'termi--list-tick)))
    (pop-to-buffer buffer)
    ;; Now that it has a window.
    (termi--list-fit)
    (tabulated-list-print t)))

(defun termi--list-tick ()
  "Renew the list if it is shown; stop when it is not."
  (if (get-buffer-window "*termi sessions*" t)
      (termi--list-changed)
    (cancel-timer termi--list-timer)
    (setq termi--list-timer nil)))

(defun termi--list-changed (&rest _)
  "Ask for the list again, if it is shown.
When the answer to an earlier question is under way, ask after it."
  (let ((buffer (get-buffer "*termi sessions*")))
    (cond ((null buffer))
          ;; It is asked for again when that is done.
          (termi--rejoining)
          ((not (termi--running-p))
           (setq termi--list-asking nil)
           (termi--list-print buffer nil))
          (termi--list-asking (setq termi--list-asking 'again))
          (t
           (setq termi--list-asking t)
           (let ((done (lambda (answer)
                         (let ((again (eq termi--list-asking 'again)))
                           (setq termi--list-asking nil)
                           (when answer (termi--list-print buffer answer))
                           (when again (termi--list-changed))))))
             (jsonrpc-async-request termi--connection 'sessions nil
                                    :success-fn done
                                    :error-fn (lambda (_) (funcall done nil))
                                    :timeout-fn (lambda () (funcall done nil))))))))

(defun termi--list-print (buffer answer)
  "Write ANSWER of `sessions' into the list's BUFFER."
  (termi--agents-take answer)
  (when (buffer-live-p buffer)
    (with-current-buffer buffer
      (termi--list-set answer)
      (tabulated-list-print t))))

(defvar-local termi--list-empty nil "An overlay whose text is seen where the list has no sessions.")

(defvar-local termi--list-rows nil "The entries with all columns.")

(defun termi--list-set (answer)
  "Make ANSWER of `sessions' the list's entries, and fit the columns to them."
  (setq termi--list-rows (termi--list-rows answer))
  (unless termi--list-empty (setq termi--list-empty (make-overlay (point-min) (point-min))))
  (overlay-put termi--list-empty 'after-string
               (unless termi--list-rows "No sessions.  M-x termi-run starts one."))
  (termi--list-fit))

(defun termi--list-fit ()
  "Make the columns fit the narrowest window of the list."
  (let ((format (termi--list-format (mapcar #'cadr termi--list-rows) (termi--list-width))))
    (unless (equal format tabulated-list-format)
      (setq tabulated-list-format format)
      (unless (seq-find (lambda (column) (equal (car column) (car tabulated-list-sort-key))) format)
        (setq tabulated-list-sort-key nil))
      (tabulated-list-init-header))
    (setq tabulated-list-entries
          (mapcar (lambda (entry)
                    (list (car entry)
                          ;; What `tabulated-list-print' cuts itself is not padded when a wide character leaves a
                          ;; column over, and the last column it does not cut.
                          (vconcat (mapcar (lambda (column)
                                             (let ((plist (nthcdr 3 column)))
                                               (truncate-string-to-width (aref (cadr entry) (plist-get plist :index))
                                                                         (plist-get plist :width) nil nil "…")))
                                           format))))
                  termi--list-rows))))

(defun termi--list-width ()
  "The width of text in the narrowest window of the list."
  (let ((windows (get-buffer-window-list nil nil t)))
    (cond (noninteractive 100)
          (windows (apply #'min (mapcar #'window-max-chars-per-line windows)))
          (t (frame-width)))))

(defun termi--list-format (rows width)
  "The `tabulated-list-format' for ROWS, vectors of texts, in WIDTH.
Each column has its place in ROWS as `:index', and its `:width'."
  (let* ((index -1)
         (columns (mapcar (lambda (column)
                            (cl-incf index)
                            (cl-destructuring-bind (title &key (steady 0) least most &allow-other-keys) column
                              (let* ((most (if (and (equal title "Name") (< width termi--list-roomy)) 16 most))
                                     (widest (cl-loop for row in rows maximize (string-width (aref row index))))
                                     (wanted (min most (max (or widest 0) steady (length title)))))
                                (list :index index :wanted wanted :width (min wanted (or least wanted))
                                      :drop (plist-get (cdr column) :drop) :column column))))
                          termi--list-columns)))
    (cl-flet ((spare () (- width (1- (length columns))
                           (apply #'+ (mapcar (lambda (column) (plist-get column :width)) columns)))))
      (dolist (column (sort (seq-filter (lambda (column) (plist-get column :drop)) columns)
                            (lambda (a b) (< (plist-get a :drop) (plist-get b :drop)))))
        (when (< (spare) 0) (setq columns (remq column columns))))
      ;; What is left goes to the columns that were cut, to each as much as to the others.
      (let (hungry)
        (while (and (> (spare) 0)
                    (setq hungry (seq-filter (lambda (column) (< (plist-get column :width) (plist-get column :wanted)))
                                             columns)))
          (dolist (column (seq-take hungry (spare)))
            (plist-put column :width (1+ (plist-get column :width)))))))
    (vconcat (mapcar (lambda (column)
                       (cl-destructuring-bind (title &key sort right &allow-other-keys) (plist-get column :column)
                         (list title (plist-get column :width) sort :right-align right
                               :index (plist-get column :index) :width (plist-get column :width))))
                     columns))))

(defun termi--list-entries ()
  "Ask for the entries of the list."
  (termi--list-set (and (termi--running-p) (termi--call 'sessions nil))))

(defun termi--list-rows (answer)
  "The list's entries from ANSWER of `sessions'."
  (let (entries)
    (cl-loop for (key session) on answer by #'cddr do
             (cl-loop for process across (plist-get session :processes) for place from 0 do
                      ;; Agents that wait come first; what is started again stays in its place.
                      (push (cons (append (termi--agent-order process)
                                          (list (plist-get session :created_at) (symbol-name key) place))
                                  (termi--list-row (substring (symbol-name key) 1) session process))
                            entries)))
    (mapcar #'cdr (sort entries (lambda (a b) (termi--before-p (car a) (car b)))))))

(defun termi--before-p (a b)
  "Whether A, a list of numbers and strings, comes before B."
  (cond ((null a) nil)
        ((equal (car a) (car b)) (termi--before-p (cdr a) (cdr b)))
        ((stringp (car a)) (string< (car a) (car b)))
        (t (< (car a) (car b)))))

(defun termi--age (seconds)
  "SECONDS as 3s, 4m05s, 2h07m or 3d4h."
  (cond ((< seconds 60) (format "%ds" seconds))
        ((< seconds 3600) (format "%dm%02ds" (/ seconds 60) (% seconds 60)))
        ((< seconds 86400) (format "%dh%02dm" (/ seconds 3600) (% (/ seconds 60) 60)))
        (t (format "%dd%dh" (/ seconds 86400) (% (/ seconds 3600) 24)))))

(defun termi--bytes (bytes)
  "BYTES as 512B, 3.4K, 120M or 1.2G."
  (let ((left (float bytes)) (units '("B" "K" "M" "G" "T")))
    (while (and (>= left 1000) (cdr units))
      (setq left (/ left 1024) units (cdr units)))
    (format (if (or (equal (car units) "B") (>= left 9.95)) "%.0f%s" "%.1f%s") left (car units))))

(defun termi--list-row (session-id session process)
  "The entry of PROCESS in SESSION, whose id is SESSION-ID."
  (let ((left (or (plist-get process :left_running) 0))
        (memory (plist-get process :memory_bytes)) (cpu (plist-get process :cpu_percent))
        (code (plist-get (plist-get process :exit) :code)) (signal (plist-get (plist-get process :exit) :signal))
        (status (plist-get process :status)))
    (list (list :run_id (plist-get process :run_id) :left left :session_id session-id :session_name (plist-get session :name))
          (vector (concat (cond ((termi--agent-status process))
                                ((and signal (equal status "exited")) (format "signal %d" signal))
                                ((and code (equal status "exited")) (format "exited %d" code))
                                (t (string-replace "_" " " status)))
                          (if (or (equal status "active") (< left 1)) ""
                            (format ", %d %s on" left (if (= left 1) "lives" "live"))))
                  (plist-get session :name)
                  (termi--one-line (plist-get process :command))
                  (number-to-string (plist-get process :pid))
                  (termi--age (/ (plist-get process :duration_ms) 1000))
                  (if cpu (format "%.0f%%" cpu) "")
                  (if memory (termi--bytes memory) "")
                  (termi--one-line (termi--agent-line process))))))

(defun termi--list-run ()
  "The run under point."
  (or (tabulated-list-get-id) (user-error "No run is on this line")))

(defun termi--list-target ()
  "The run under point as a target."
  (let ((run (termi--list-run)))
    (concat (plist-get run :session_id) ":" (plist-get run :run_id))))

(defun termi-list-show ()
  "Show the run under point."
  (interactive)
  (termi--show (termi--list-run)))

(defun termi-list-kill (now)
  "End the run under point; with prefix argument NOW, by SIGKILL at once."
  (interactive "P")
  (termi-kill (termi--list-target) now))

(defun termi-list-restart ()
  "Start the run under point again.
Whether to end processes of it that live on after its end is asked."
  (interactive)
  (termi--list-call-ending 'restart))

(defun termi--list-call-ending (method)
  "Call METHOD for the run under point; ask before it ends what lives on."
  (let ((left (plist-get (termi--list-run) :left)))
    (cond ((or (null left) (< left 1)) (termi--call method (list :target (termi--list-target))))
          ((y-or-n-p (if (= left 1) "1 of its processes lives on.  End it? "
                       (format "%d of its processes live on.  End them? " left)))
           (termi--call method (list :target (termi--list-target) :force t))))))

(defun termi-list-rename (name)
  "Give the session under point the NAME."
  (interactive (list (read-string "New name: " (plist-get (termi--list-run) :session_name))))
  (termi--call 'rename (list :target (plist-get (termi--list-run) :session_id) :name name)))

(defun termi-list-remove ()
  "Dismiss the run under point, which has ended.
Whether to end processes of it that live on is asked."
  (interactive)
  (termi--list-call-ending 'remove))

;;;; Evil

(declare-function evil-set-initial-state "ext:evil-core" (mode state))

;; Evil's normal state would shadow the list's keys, and RET in the buffers.
(with-eval-after-load 'evil
  (evil-set-initial-state 'termi-sessions-mode 'emacs)
  (evil-set-initial-state 'termi-mode 'insert))

(provide 'termi)
;;; termi.el ends here
