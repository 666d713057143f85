//! The rooms of the code and the arrows between them: each arrow goes one way, and the page that explains them names
//! what there is.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

/// What names what.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// The directories of the plugin, and the modules beside them that others require, from the lowest up: each may require
/// what stands before it. What is not here (`termi` itself, and what the host, Neovim and plugin/ call) is on top.
const STAIRCASE: [&[&str]; 10] = [
    &["core"],
    &["config"],
    &["ui"],
    &["rpc"],
    &["build"],
    &["model"],
    &["view"],
    &["run"],
    &["list", "browse"],
    &["command"],
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a directory whose names end so.
fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|name| name == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A source without its comments and the modules of its tests.
fn code_of(source: &str) -> String {
    let tests = Regex::new(r"#\[cfg\(test\)\]\n(?:#\[.*\n)*mod [a-z_]+ \{").unwrap();
    tests
        .splitn(source, 2)
        .next()
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// The paths of a tree of `use`: `a::{b, c::{self, d}}` is `a::b`, `a::c` and `a::c::d`.
fn flattened(tree: &str, before: &str, paths: &mut Vec<String>) {
    let (mut depth, mut begin) = (0_i32, 0);
    for (at, character) in tree.char_indices().chain([(tree.len(), ',')]) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let one = tree[begin..at].trim();
                begin = (at + 1).min(tree.len());
                match one.split_once('{') {
                    Some((head, group)) => {
                        flattened(group.strip_suffix('}').unwrap_or(group), &format!("{before}{head}"), paths)
                    }
                    None if one.is_empty() => {}
                    None if one == "self" => paths.push(before.trim_end_matches("::").to_owned()),
                    None => paths.push(format!("{before}{one}")),
                }
            }
            _ => {}
        }
    }
}

/// The paths within the crate that the source of a module names, each from the crate's root on.
fn paths_named(source: &str, module: &[&str]) -> BTreeSet<Vec<String>> {
    let statement = Regex::new(r"(?s)\buse ([^;]*);").unwrap();
    let inline = Regex::new(r"\b(?:crate|(?:super::)*super)(?:::[A-Za-z_]+)+").unwrap();
    let code = code_of(source);
    let mut paths: Vec<String> = inline.find_iter(&code).map(|found| found.as_str().to_owned()).collect();
    for found in statement.captures_iter(&code) {
        flattened(&found[1], "", &mut paths);
    }
    paths
        .iter()
        .filter_map(|path| {
            let mut parts: Vec<String> = path.split("::").map(|part| part.trim().to_owned()).collect();
            let ups = parts.iter().take_while(|part| *part == "super").count();
            let base: Vec<String> = match parts[0].as_str() {
                "crate" => Vec::new(),
                "super" => module[..module.len().checked_sub(ups)?].iter().map(|part| (*part).to_owned()).collect(),
                _ => return None,
            };
            let rest = parts.split_off(ups.max(1));
            Some(base.into_iter().chain(rest).collect())
        })
        .collect()
}

/// The rooms below a directory of `src` (of `src` itself: with none), and which of them each names.
fn rust_rooms(within: &[&str]) -> Graph {
    let mut graph = Graph::new();
    let directory = within.iter().fold(root().join("src"), |path, part| path.join(part));
    let sources = files(&directory, "rs");
    let room_of = |file: &Path| {
        let relative = file.strip_prefix(&directory).unwrap();
        relative.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
    };
    let rooms: BTreeSet<String> = sources.iter().map(|file| room_of(file)).collect();
    for file in &sources {
        let room = room_of(file);
        // A module of tests, and the face of the rooms: it names them all, and none of them names it.
        if is_test(file) || room == "mod" {
            continue;
        }
        let module = file.strip_prefix(root().join("src")).unwrap().with_extension("");
        let mut module: Vec<&str> = module.iter().map(|part| part.to_str().unwrap()).collect();
        module.pop_if(|last| *last == "mod");
        let named = graph.entry(room.clone()).or_default();
        for path in paths_named(&fs::read_to_string(file).unwrap(), &module) {
            if path.len() > within.len() && path.iter().zip(within).all(|(a, b)| a == b) {
                let name = &path[within.len()];
                let is_face = !within.is_empty() && !rooms.contains(name);
                assert!(!is_face, "{} names {} by the face of its rooms", file.display(), path.join("::"));
                if *name != room {
                    named.insert(name.clone());
                }
            }
        }
    }
    graph
}

/// A file that is compiled for tests alone, as the module above it says.
fn is_test(file: &Path) -> bool {
    let name = file.file_stem().unwrap().to_str().unwrap();
    let above = file.parent().unwrap();
    let above = [above.join("mod.rs"), above.with_extension("rs"), above.join("lib.rs")];
    let declares = |above: &PathBuf| {
        fs::read_to_string(above).is_ok_and(|source| source.contains(&format!("#[cfg(test)]\nmod {name};")))
    };
    above.iter().any(declares)
}

/// The modules of the plugin, each with those that it requires, be it from within a function.
fn lua_modules() -> Graph {
    let require = Regex::new(r#"require\(?\s*['"]termi\.([a-z_.]+)['"]"#).unwrap();
    let mut graph = Graph::new();
    let directory = root().join("lua/termi");
    for file in files(&directory, "lua") {
        let module = file.strip_prefix(&directory).unwrap().with_extension("");
        let module = module.to_str().unwrap().replace('/', ".");
        let module = module.trim_end_matches(".init").to_owned();
        let source = fs::read_to_string(&file).unwrap();
        let named = source
            .lines()
            .filter(|line| !line.trim_start().starts_with("--"))
            .flat_map(|line| require.captures_iter(line).map(|found| found[1].to_owned()));
        let required = named.filter(|name| *name != module).collect();
        graph.insert(module, required);
    }
    graph
}

fn reachable<'a>(graph: &'a Graph, from: &'a str) -> BTreeSet<&'a str> {
    let (mut seen, mut left) = (BTreeSet::new(), vec![from]);
    while let Some(node) = left.pop() {
        for next in graph.get(node).into_iter().flatten() {
            if seen.insert(next.as_str()) {
                left.push(next);
            }
        }
    }
    seen
}

/// The sets of nodes that reach each other.
fn circles(graph: &Graph) -> BTreeSet<Vec<&str>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        graph.keys().map(|node| (node.as_str(), reachable(graph, node))).collect();
    let together = |a: &str, b: &str| reached[a].contains(b) && reached.get(b).is_some_and(|from| from.contains(a));
    reached
        .keys()
        .map(|node| reached.keys().filter(|other| together(node, other)).copied().collect::<Vec<_>>())
        .filter(|circle| !circle.is_empty())
        .collect()
}

/// The requires that lead up the staircase of the plugin's directories, or to another one on the same step.
fn upward(graph: &Graph) -> Vec<String> {
    fn room(module: &str) -> &str {
        module.split('.').next().unwrap_or_default()
    }
    let step = |module: &str| STAIRCASE.iter().position(|rooms| rooms.contains(&room(module))).unwrap_or(usize::MAX);
    let is_allowed = |from: &str, to: &str| {
        room(from) == room(to) || step(to) < step(from) || (step(from) == usize::MAX && step(to) == usize::MAX)
    };
    let arrows = graph.iter().flat_map(|(from, named)| named.iter().map(move |to| (from, to)));
    arrows.filter(|(from, to)| !is_allowed(from, to)).map(|(from, to)| format!("{from} requires {to}")).collect()
}

#[test]
fn a_require_up_the_staircase_is_found() {
    let graph = |from: &str, to: &str| Graph::from([(from.to_owned(), BTreeSet::from([to.to_owned()]))]);
    for (from, to) in [("rpc.client", "core.format"), ("list", "list.model"), ("host", "events"), ("init", "config")] {
        assert_eq!(upward(&graph(from, to)), Vec::<String>::new());
    }
    for (from, to) in
        [("rpc.client", "model.sessions"), ("list", "browse.history"), ("view", "events"), ("core.bus", "config")]
    {
        assert_eq!(upward(&graph(from, to)), [format!("{from} requires {to}")]);
    }
}

#[test]
fn a_circle_is_found_wherever_it_is_closed() {
    let graph = |arrows: &[(&str, &[&str])]| -> Graph {
        arrows
            .iter()
            .map(|(from, to)| ((*from).to_owned(), to.iter().map(|name| (*name).to_owned()).collect()))
            .collect()
    };
    assert!(circles(&graph(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])])).is_empty());
    let closed = graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["a", "d"]), ("d", &["d2"]), ("d2", &[])]);
    assert_eq!(circles(&closed), BTreeSet::from([vec!["a", "b", "c"]]));
    assert_eq!(circles(&graph(&[("a", &["a"])])), BTreeSet::from([vec!["a"]]));

    let source = "//! See [`crate::cli`].\nuse crate::{\n    process,\n    protocol::{Size, view},\n    term::{\n        line,\n    },\n};\n\
                  use super::{client::{self, Client}, table as t};\nfn f() { crate::pty::open(super::super::d()) }\n\
                  #[cfg(test)]\nmod sketch;\nuse crate::units;\n#[cfg(test)]\nmod tests { use crate::rpc; }";
    let named = paths_named(source, &["session", "run", "lines"]);
    let named: Vec<String> = named.iter().map(|path| path.join("::")).collect();
    let expected = [
        "process",
        "protocol::Size",
        "protocol::view",
        "pty::open",
        "session::d",
        "session::run::client",
        "session::run::client::Client",
        "session::run::table as t",
        "term::line",
        "units",
    ];
    assert_eq!(named, expected);
}

#[test]
fn no_two_rooms_of_the_source_name_each_other() {
    let graph = rust_rooms(&[]);
    assert!(graph["session"].contains("term"), "the arrows are read: {graph:?}");
    assert_eq!(circles(&graph), BTreeSet::new());
    for pure in ["protocol", "term", "view", "template"] {
        let named = &graph[pure];
        let beyond: Vec<_> = named.iter().filter(|name| !["protocol", "term"].contains(&name.as_str())).collect();
        assert_eq!(beyond, Vec::<&String>::new(), "{pure} is pure");
    }
    for below in ["session", "pty", "shim", "history"] {
        for editor in ["rpc", "server", "host", "daemon", "cli"] {
            assert!(!reachable(&graph, below).contains(editor), "{below} knows nothing of {editor}");
        }
    }
}

/// Within a room that has rooms of its own too: what is higher names what is lower, and nothing names the face.
#[test]
fn no_two_rooms_of_the_sessions_name_each_other() {
    let graph = rust_rooms(&["session"]);
    assert!(graph["supervisor"].contains("message"), "the arrows are read: {graph:?}");
    assert_eq!(circles(&graph), BTreeSet::new());
    for (room, above) in [("run", "supervisor"), ("message", "run"), ("client", "message"), ("program", "message")] {
        assert!(!reachable(&graph, room).contains(above), "{room} knows nothing of {above}");
    }
}

#[test]
fn no_two_modules_of_the_plugin_name_each_other() {
    assert_eq!(circles(&lua_modules()), BTreeSet::new());
}

#[test]
fn no_module_of_the_plugin_requires_one_above_it() {
    let graph = lua_modules();
    assert!(graph["view"].contains("model.views"), "the requires are read: {graph:?}");
    assert_eq!(upward(&graph), Vec::<String>::new());
    for entry in fs::read_dir(root().join("lua/termi")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(!path.is_dir() || STAIRCASE.concat().contains(&name), "lua/termi/{name} is on no step");
    }
}

/// The paths in the page are those of the tree.
#[test]
fn the_architecture_page_names_what_there_is() {
    let page = fs::read_to_string(root().join("doc/architecture.md")).unwrap();
    let path =
        Regex::new(r"`((?:src|lua|plugin|tests|benches|examples|fuzz|scripts|clients|doc)/[A-Za-z0-9_./-]*)`").unwrap();
    let named: BTreeSet<&str> = path.captures_iter(&page).map(|found| found.get(1).unwrap().as_str()).collect();
    assert!(named.len() > 30, "the paths are read: {named:?}");
    let missing: Vec<_> = named.iter().filter(|name| !root().join(name).exists()).collect();
    assert_eq!(missing, Vec::<&&str>::new());
    // And every room has a line.
    let rooms = rust_rooms(&[]);
    let of_sessions = rust_rooms(&["session"]);
    let below = of_sessions.keys().map(|room| format!("session/{room}"));
    for room in rooms.keys().cloned().chain(below).filter(|room| !["lib", "main"].contains(&room.as_str())) {
        let is_named = named.iter().any(|name| *name == format!("src/{room}/") || *name == format!("src/{room}.rs"));
        assert!(is_named, "src/{room} has no line in doc/architecture.md");
    }
}

/// What the page for contributors tells them to use is there.
#[test]
fn the_contributors_page_names_what_there_is() {
    let page = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let found = |pattern: &str| -> BTreeSet<String> {
        let pattern = Regex::new(pattern).unwrap();
        pattern.captures_iter(&page).map(|found| found[1].to_owned()).collect()
    };

    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let targets = found("make ([a-z-]+)`");
    assert!(targets.len() >= 7, "the targets are read: {targets:?}");
    for target in targets {
        assert!(makefile.contains(&format!("\n{target}:")), "make {target}");
    }

    let mut sources = String::new();
    for (directory, extension) in [("tests", "rs"), ("src", "rs")] {
        for file in files(&root().join(directory), extension) {
            if !file.ends_with("architecture.rs") {
                sources += &fs::read_to_string(file).unwrap();
            }
        }
    }
    let variables = found("\\b(TERMI_[A-Z0-9_]+)");
    assert!(variables.len() >= 7, "the variables are read: {variables:?}");
    for variable in variables {
        // The Neovims' are put together from their versions.
        let is_read = sources.contains(&variable) || variable.starts_with("TERMI_TEST_NVIM_");
        assert!(is_read, "nothing reads {variable}");
    }

    let paths = found("`((?:src|tests|benches|doc|scripts)/[A-Za-z0-9_./-]*)`");
    let missing: Vec<_> = paths.iter().filter(|path| !root().join(path).exists()).collect();
    assert_eq!(missing, Vec::<&String>::new());
}
