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

/// The rooms of `src` that a source file names, its tests and comments aside.
fn rooms_named(source: &str) -> BTreeSet<String> {
    let path = Regex::new(r"\bcrate::([a-z_]+)").unwrap();
    let group = Regex::new(r"(?s)\buse crate::\{(.*?)\n?\};").unwrap();
    let member = Regex::new(r"^ *([a-z_]+)(?:::|,| as )").unwrap();
    let code: String = source
        .split("#[cfg(test)]\nmod ")
        .next()
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut named: BTreeSet<String> = path.captures_iter(&code).map(|found| found[1].to_owned()).collect();
    for found in group.captures_iter(&code) {
        // What stands deeper in the group belongs to a room that is named before it.
        let mut depth = 0_i32;
        for line in found[1].lines() {
            if depth == 0
                && let Some(room) = member.captures(line)
            {
                named.insert(room[1].to_owned());
            }
            depth += line.matches('{').count() as i32 - line.matches('}').count() as i32;
        }
    }
    named
}

fn rust_rooms() -> Graph {
    let mut graph = Graph::new();
    let source = root().join("src");
    for file in files(&source, "rs") {
        let relative = file.strip_prefix(&source).unwrap();
        let room = relative.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        let named = rooms_named(&fs::read_to_string(&file).unwrap());
        graph.entry(room.to_owned()).or_default().extend(named.into_iter().filter(|name| name != room));
    }
    graph
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
                  fn f() { crate::pty::open() }\n#[cfg(test)]\nmod tests { use crate::rpc; }";
    assert_eq!(rooms_named(source).into_iter().collect::<Vec<_>>(), ["process", "protocol", "pty", "term"]);
}

#[test]
fn no_two_rooms_of_the_source_name_each_other() {
    let graph = rust_rooms();
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
    for room in rust_rooms().keys().filter(|room| !["lib", "main"].contains(&room.as_str())) {
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
