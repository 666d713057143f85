//! What goes over the wire to Neovim for the smallest changes: whole messages on the host's standard output.

use std::{
    io::{self, Read},
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::{Value as Json, json};

use crate::{
    Plan,
    pairs::single,
    report::{Against, Row, Target},
    support::{Client, Home},
};

const ROWS: usize = 46;
const COLUMNS: usize = 160;

/// The numbers before the first line and of the last line of a full screen.
const FIRST: u32 = 100_000;
const FULL: u32 = 100_100;

/// What stands in each line after its number.
const LINE: &str = "10:00:07.123Z INFO  worker-07 request=0a1b2c3d path=/api/v1/items status=200 took=12ms";

pub fn rows(plan: &Plan) -> Vec<Row> {
    let wire = Wire::start();
    // A screen full of numbered lines, then for each line typed: nothing, one more line; `-`, an empty row again;
    // else that text without a line's end.
    let script = format!(
        "stty -echo; n={FIRST}; next() {{ n=$((n+1)); echo \"$n {LINE}\"; }}; while [ $n -lt {FULL} ]; do next; done; \
         while read -r word; do case $word in '') next;; -) printf '\\r\\033[K';; *) printf %s \"$word\";; esac; done"
    );
    let run = wire
        .client
        .ask("run", json!({"cmd": ["sh", "-c", script], "size": {"rows": ROWS, "cols": COLUMNS}, "attach": "ansi"}));
    let run = run["run_id"].as_str().unwrap().to_owned();
    let above = |number: u32| {
        move |screen: &[String]| screen.get(ROWS - 2).is_some_and(|row| row.starts_with(&number.to_string()))
    };
    let below = |text: &'static str| move |screen: &[String]| screen.get(ROWS - 1).map_or("", String::as_str) == text;
    wire.client.wait_screen(&run, "a full screen", above(FULL));
    let (mut cell, mut line, mut repaint) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=if plan.quick { 2 } else { 5 } {
        wire.settled(&run);
        cell.push(wire.bytes_until(&run, "x\n", below("x")));
        wire.bytes_until(&run, "-\n", below(""));
        line.push(wire.bytes_until(&run, "\n", above(FULL + round)));
        repaint.push(wire.repaint(&run));
    }
    let against = |values: &[f64], row: Row| {
        let ratios: Vec<f64> = values.iter().zip(&repaint).map(|(value, repaint)| value / repaint).collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        let (ratio, value) = (crate::pairs::median(&ratios), crate::pairs::median(&repaint));
        Row { against: Some(Against { name: "a full repaint".to_owned(), value, ratio, least, most }), ..row }
    };
    #[allow(clippy::cast_precision_loss, reason = "a line's length")]
    let (length, most) = (LINE.len() + 7, (LINE.len() + 107) as f64);
    let scrolled = format!("bytes to Neovim for one scrolled line of {length}");
    vec![
        against(
            &cell,
            single("bytes", "bytes to Neovim for one changed cell", "B", &cell, Some(Target::ValueBelow(150.0))),
        ),
        against(&line, single("bytes", scrolled, "B", &line, Some(Target::ValueBelow(most)))),
    ]
}

/// A host that believes it serves a Neovim, with every byte of its output counted.
struct Wire {
    client: Client,
    received: Arc<AtomicU64>,
    child: Child,
    /// Dropped last: nothing of it may be alive then.
    _home: Arc<Home>,
}

impl Wire {
    fn start() -> Self {
        let home = Home::new();
        let mut child = home
            .host()
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the host starts");
        let received = Arc::new(AtomicU64::new(0));
        let reader = Counted { from: child.stdout.take().unwrap(), count: Arc::clone(&received) };
        let client = Client::new(reader, child.stdin.take().unwrap());
        client.ask(
            "initialize",
            json!({"protocol": 1, "client": {"name": "nvim", "version": "0.12.0"}, "frontend": "nvim"}),
        );
        Self { client, received, child, _home: home }
    }

    fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst)
    }

    /// Nothing is under way: the host has answered a question, and no byte came after that for a while.
    fn settled(&self, run: &str) {
        loop {
            self.client.ask("snapshot", json!({"run_id": run}));
            let before = self.received();
            std::thread::sleep(std::time::Duration::from_millis(300));
            if self.received() == before {
                return;
            }
        }
    }

    /// What typing something costs, until the screen is so and nothing more comes.
    fn bytes_until(&self, run: &str, typed: &str, is_so: impl Fn(&[String]) -> bool) -> f64 {
        self.counted(run, || {
            self.client.input(run, typed);
            self.client.wait_screen(run, &format!("the answer to {typed:?}"), &is_so);
        })
    }

    /// What an attached view costs that is sent everything anew.
    fn repaint(&self, run: &str) -> f64 {
        let frames = |client: &Client| client.state().views[run].frames;
        self.client.ask("detach", json!({"run_id": run}));
        self.settled(run);
        self.counted(run, || {
            let before = frames(&self.client);
            let _: Json = self.client.ask("attach", json!({"run_id": run, "format": "ansi"}));
            self.client.wait_for("a first frame", |state| (state.views[run].frames > before).then_some(()));
        })
    }

    /// The bytes that come because of something; the answers with which it is seen that nothing more does are not in it.
    fn counted(&self, run: &str, act: impl FnOnce()) -> f64 {
        let before = self.received();
        act();
        // The count of a message is in it as soon as its first byte is read, in pieces as they come: wait for the rest.
        std::thread::sleep(std::time::Duration::from_millis(300));
        let bytes = self.received() - before;
        self.settled(run);
        #[allow(clippy::cast_precision_loss, reason = "some kilobytes")]
        let bytes = bytes as f64;
        bytes
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.client.close();
        let _ = crate::support::eventually_some("the host ends", || self.child.try_wait().unwrap());
    }
}

struct Counted<R> {
    from: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.count.fetch_add(count as u64, Ordering::SeqCst);
        Ok(count)
    }
}
