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
---@field limits? { memory_bytes?: integer, cpu_seconds?: integer, processes?: integer }
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

---@class termi.proto.SnapshotResult
---@field lines string[]
---@field scrollback_lines integer how many of the lines are from above the screen
---@field cursor { row: integer, col: integer, visible: boolean }
---@field size termi.proto.Size
---@field title string
---@field truncated_bytes integer
---@field alternate_screen boolean

---@class termi.proto.WaitResult
---@field reason 'exit'|'pattern'|'idle'|'timeout'
---@field exit? termi.proto.Exit
---@field line? string

---@class termi.proto.Reply
---@field id integer
---@field result? any
---@field error? termi.proto.Error

---@class termi.proto.Frame
---@field run_id string
---@field view_id integer
---@field seq integer
---@field format 'ansi'
---@field data string bytes
---@field rows integer
---@field cols integer
---@field reset? boolean it begins anew: nothing that the terminal holds is to stay

---@class termi.proto.Event
---@field type string
---@field session_id string
---@field run_id? string
---@field session_name? string
---@field pid? integer
---@field status? termi.proto.Status
---@field exit? termi.proto.Exit
---@field reason? string
---@field duration_ms? integer
---@field left_running? integer
---@field kind? 'bell'|'notification'
---@field message? string
---@field pending_bytes? integer
---@field dropped_bytes? integer
---@field limit_bytes? integer
---@field begins? boolean of `replacing`

---@class termi.proto.RunEvent : termi.proto.Event
---@field run_id string
