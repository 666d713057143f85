//! Standard input that is no terminal, passed on to a run's terminal: its text, and then its end.

use std::{
    io::{IsTerminal, Read},
    time::Duration,
};

use tokio::sync::mpsc;

use super::connection::Connection;
use crate::protocol::{Bytes, RunId, SendInput, SendParams, SendReply, Target};

/// A terminal's keys for "the next byte is no command" and "that is all" (VLNEXT and VEOF, termios(3)).
const QUOTE: u8 = 0x16;
const END: u8 = 0x04;

/// As much as is sent at a time, and how many of those may wait: a program that does not read stops the reading.
const CHUNK: usize = 4096;
const CHUNKS_WAITING: usize = 4;

/// How long to wait before a program that did not take its input is tried again.
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// Whether there is something to pass on: what is typed at a terminal is not.
pub fn is_piped() -> bool {
    !std::io::stdin().is_terminal()
}

/// Passes standard input on until it ends, or the run does. What the terminal would take for a command is quoted.
pub async fn pass_on(mut connection: Connection, run_id: RunId) {
    let mut chunks = read();
    let mut ends_a_line = true;
    while let Some(chunk) = chunks.recv().await {
        ends_a_line = chunk.last().is_some_and(|&byte| byte == b'\n');
        if !send(&mut connection, &run_id, quoted(&chunk)).await {
            return;
        }
    }
    // In the middle of a line the first only sends what is there of it.
    let end = if ends_a_line { vec![END] } else { vec![END, END] };
    send(&mut connection, &run_id, end).await;
}

/// What standard input holds, piece by piece.
fn read() -> mpsc::Receiver<Vec<u8>> {
    let (chunks, receiver) = mpsc::channel(CHUNKS_WAITING);
    // A thread, as a descriptor that others share must not be made non-blocking.
    std::thread::spawn(move || {
        let mut buffer = [0; CHUNK];
        loop {
            match std::io::stdin().lock().read(&mut buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return,
                Ok(count) => {
                    if chunks.blocking_send(buffer[..count].to_vec()).is_err() {
                        return;
                    }
                }
            }
        }
    });
    receiver
}

/// Sends until it is taken; false when the run, or the host, is gone.
async fn send(connection: &mut Connection, run_id: &RunId, data: Vec<u8>) -> bool {
    loop {
        let target = Target::Session(run_id.to_string());
        let params = || SendParams { target: target.clone(), data: Bytes(data.clone()), enter: false, paste: false };
        match connection.change::<SendInput>(params).await {
            Ok(SendReply { refused: 0, .. }) => return true,
            Ok(_) => tokio::time::sleep(RETRY_DELAY).await,
            Err(_) => return false,
        }
    }
}

fn quoted(bytes: &[u8]) -> Vec<u8> {
    let is_command = |byte: u8| (byte < 0x20 && !matches!(byte, b'\n' | b'\t')) || byte == 0x7f;
    bytes.iter().flat_map(|&byte| is_command(byte).then_some(QUOTE).into_iter().chain([byte])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_takes_for_a_command_is_quoted() {
        assert_eq!(quoted(b"a\tb\n\xc3\xa4"), b"a\tb\n\xc3\xa4");
        assert_eq!(quoted(b"\x03\x04\x7f\r"), b"\x16\x03\x16\x04\x16\x7f\x16\r");
    }
}
