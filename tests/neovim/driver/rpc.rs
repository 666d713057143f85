//! The wire to an embedded Neovim: requests one after another, and the notifications that come meanwhile.

use std::{
    io::{BufReader, Read, Write},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use rmpv::Value;

/// What Neovim sends.
pub enum Message {
    Reply { id: u64, result: Result<Value, Value> },
    Notification { method: String, params: Vec<Value> },
}

pub struct Wire {
    to: Box<dyn Write + Send>,
    from: Receiver<Message>,
    last_id: u64,
}

impl Wire {
    pub fn new(to: impl Write + Send + 'static, from: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut from = BufReader::new(from);
            while let Ok(value) = rmpv::decode::read_value(&mut from) {
                if sender.send(parse(value)).is_err() {
                    return;
                }
            }
        });
        Self { to: Box::new(to), from: receiver, last_id: 0 }
    }

    /// Sends a request and returns the id that its reply will have.
    pub fn send(&mut self, method: &str, params: Vec<Value>) -> u64 {
        self.last_id += 1;
        let request = Value::Array(vec![0.into(), self.last_id.into(), method.into(), Value::Array(params)]);
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &request).unwrap();
        self.to.write_all(&bytes).and_then(|()| self.to.flush()).expect("Neovim listens");
        self.last_id
    }

    /// The next message; none when none comes within `limit`.
    pub fn receive(&self, limit: Duration) -> Option<Message> {
        match self.from.recv_timeout(limit) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("Neovim has gone"),
        }
    }
}

fn parse(value: Value) -> Message {
    let Value::Array(parts) = value else { panic!("not a message: {value}") };
    match <[Value; 4]>::try_from(parts) {
        Ok([_, id, error, result]) => {
            Message::Reply { id: id.as_u64().unwrap(), result: if error.is_nil() { Ok(result) } else { Err(error) } }
        }
        Err(parts) => Message::Notification {
            method: parts[1].as_str().unwrap().to_owned(),
            params: parts[2].as_array().unwrap().clone(),
        },
    }
}
