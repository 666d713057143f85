---@meta
--- The shapes that travel between the plugin and the host. Times in milliseconds, memory in bytes.

---@class termi.proto.Size
---@field rows integer
---@field cols integer

---@class termi.proto.Exit
---@field code? integer
---@field signal? integer

---@alias termi.proto.Status 'active'|'exited'|'killed'|'timed_out'|'failed'

---@class termi.proto.Error
---@field code string stable
---@field message string sentences for a person
---@field data? any

---@class termi.proto.InitializeResult
---@field protocol integer
---@field server { name: string, version: string }
---@field pid integer
---@field capabilities table
---@field log_path? string

---@class termi.proto.Limits
---@field memory_bytes? integer of all its processes
---@field cpu_seconds? integer of the whole process tree
---@field processes? integer
---@field open_files? integer of each process

--- Which ended runs a session keeps.
---@class termi.proto.Keep
---@field count? integer
---@field age_ms? integer

---@class termi.proto.RunParams
---@field cmd? string|string[]
---@field session? string
---@field name? string
---@field label? string
---@field group? string
---@field cwd? string
---@field env? table<string, string>
---@field size? termi.proto.Size
---@field timeout_ms? integer
---@field idle_timeout_ms? integer
---@field transcript_bytes? integer what the runs of a new session may keep of their text together; 64000 to 64000000
---@field limits? termi.proto.Limits
---@field keep? termi.proto.Keep
---@field log? boolean
---@field log_bytes? integer
---@field template? string
---@field stream? 'terminal'|'json'
---@field attach? 'ansi'

---@class termi.proto.RunResult
---@field session_id string
---@field run_id string
---@field pid integer
---@field terminal_name string
---@field process_name string
---@field session_name string
---@field view_id? integer

--- A coding agent, as the host believes it to be.
---@class termi.proto.AgentInfo
---@field app string which one, such as `claude`
---@field state termi.proto.AgentState
---@field kind? 'permission'|'question'|'auth'|'dialog' what a blocked one waits for
---@field message? string what it asks, or why it stopped
---@field title? string what it is about
---@field progress? integer 0 to 100
---@field since integer unix time at which the state began
---@field source? 'osc'|'hook'|'json'|'screen'|'title'|'bell' none while nobody says what it is doing
---@field seen boolean a person has looked at it since the state began
---@field agent_session? string its own id of the conversation

---@alias termi.proto.AgentState 'starting'|'ready'|'working'|'blocked'|'done'|'error'|'unknown'

---@class termi.proto.AgentEvidence
---@field source 'osc'|'hook'|'json'|'screen'|'title'|'bell'
---@field state termi.proto.AgentState
---@field kind? 'permission'|'question'|'auth'|'dialog'
---@field message? string
---@field since integer unix time
---@field rule string which matched, or the kind of report
---@field text string that it matched
---@field believed boolean

---@class termi.proto.AgentEvidenceResult
---@field agent? termi.proto.AgentInfo
---@field evidence termi.proto.AgentEvidence[]

---@class termi.proto.Process
---@field run_id string
---@field pid integer
---@field status termi.proto.Status
---@field process_name string
---@field terminal_name string
---@field command string for people
---@field program string
---@field started_at integer unix time
---@field ended_at? integer
---@field duration_ms integer
---@field exit? termi.proto.Exit
---@field reason? string why Termi ended it, if it did
---@field bytes integer
---@field last_line string
---@field title string
---@field cwd string
---@field cpu_percent? number
---@field memory_bytes? integer
---@field left_running integer processes that left its terminal and live on after its exit
---@field attached boolean
---@field agent? termi.proto.AgentInfo of a coding agent; older hosts never have it
---@field progress? termi.proto.RunProgress while it reports how far it is; older hosts never have it

---@class termi.proto.RunProgress
---@field state 'normal'|'error'|'indeterminate'|'paused'
---@field percent? integer 0 to 100

---@class termi.proto.Session
---@field name string
---@field label? string
---@field group? string
---@field cwd string
---@field active_processes integer
---@field run_ids string[]
---@field processes termi.proto.Process[]

---@alias termi.proto.Sessions table<string, termi.proto.Session> by session id

---@class termi.proto.KillResult
---@field killed integer
---@field total integer
---@field processes? integer OS processes that were ended

---@class termi.proto.AttachResult
---@field view_id integer
---@field session_id string
---@field run_id string
---@field session_name string
---@field status termi.proto.Status
---@field size termi.proto.Size
---@field title string
---@field exit? termi.proto.Exit

---@alias termi.proto.Paint 'default'|{ indexed: integer }|{ rgb: integer[] }

--- The look of bytes `start` to `end` of a line; what is left out is the default.
---@class termi.proto.Span
---@field start integer from 0
---@field end integer one past the last
---@field fg? termi.proto.Paint
---@field bg? termi.proto.Paint
---@field underline_color? termi.proto.Paint
---@field underline? 'none'|'single'|'double'|'curl'|'dotted'|'dashed'
---@field bold? boolean
---@field dim? boolean
---@field italic? boolean
---@field inverse? boolean
---@field hidden? boolean
---@field strikeout? boolean
---@field link? string

---@class termi.proto.SpanLine
---@field text string
---@field spans termi.proto.Span[]

---@class termi.proto.SnapshotResult
---@field lines string[]|termi.proto.SpanLine[]
---@field scrollback_lines integer how many of the lines are from above the screen
---@field cursor { row: integer, col: integer, visible: boolean }
---@field size termi.proto.Size
---@field title string
---@field truncated_bytes integer
---@field alternate_screen boolean

--- Rows are counted upward from the last row of the client's view, which is 0.
---@class termi.proto.PromptsResult
---@field rows integer[] the first row of each prompt, the nearest first
---@field exits (integer|nil)[] the exit code of the command given at each; vim.NIL where it is not known

---@class termi.proto.LinkParams
---@field run_id string
---@field row integer as in `prompts`
---@field col integer cells from 0

---@class termi.proto.LinkResult
---@field uri? string

---@class termi.proto.ClipboardParams
---@field run_id string
---@field request integer
---@field data? string at most a megabyte; none gives the program nothing

---@class termi.proto.WaitResult
---@field reason 'exit'|'pattern'|'idle'|'timeout'
---@field exit? termi.proto.Exit
---@field line? string

---@class termi.proto.HistoryRecord
---@field session_id string
---@field session_name string
---@field group? string
---@field label? string
---@field run_id string
---@field command string
---@field program string
---@field cwd string
---@field started_at integer unix time
---@field ended_at integer
---@field duration_ms integer
---@field status termi.proto.Status
---@field exit termi.proto.Exit
---@field reason? string
---@field bytes integer
---@field template? string
---@field output_path? string
---@field host_pid integer

---@class termi.proto.StatsRow
---@field key string what the runs have in common: their command
---@field count integer
---@field failures integer
---@field median_ms integer
---@field p95_ms integer
---@field last_ended_at integer unix time

---@class termi.proto.Reply
---@field id integer
---@field result? any
---@field error? termi.proto.Error

--- Fields that are optional are left out when they have nothing new to tell; a view's first frame has them all.
---@class termi.proto.Frame
---@field view_id integer
---@field seq integer
---@field data string bytes
---@field run_id? string
---@field format? 'ansi'
---@field rows? integer
---@field cols? integer
---@field reset? boolean it begins anew: nothing that the terminal holds is to stay
---@field current? boolean false: more frames of the same update follow

---@class termi.proto.Event
---@field type string
---@field session_id? string of all but `replacing` and `events_lost`
---@field run_id? string
---@field session_name? string
---@field pid? integer
---@field status? termi.proto.Status
---@field exit? termi.proto.Exit
---@field reason? string
---@field duration_ms? integer
---@field left_running? integer
---@field kind? 'bell'|'notification'|string
---@field message? string
---@field state? 'none'|'normal'|'error'|'indeterminate'|'paused' of `progress`
---@field percent? integer of `progress`, 0 to 100
---@field selection? 'clipboard'|'primary' of `clipboard` and `clipboard_request`
---@field data? string of `clipboard`: the text that a program copied
---@field request? integer of `clipboard_request`: answered by the method `clipboard`
---@field waiting_rows? integer rows that a held view has not been sent
---@field skipped_rows? integer rows that a held view lacks above its screen
---@field pending_bytes? integer
---@field dropped_bytes? integer
---@field limit_bytes? integer
---@field begins? boolean of `replacing`
---@field agent? termi.proto.AgentInfo of `agent_state`; none: the run is no agent any more
---@field was? termi.proto.AgentState of `agent_state`
---@field count? integer of `events_lost`

---@class termi.proto.RunEvent : termi.proto.Event
---@field session_id string
---@field run_id string
