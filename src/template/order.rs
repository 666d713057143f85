//! Sorts templates by their dependencies: in which order they start.

use std::collections::{BTreeMap, BTreeSet};

use super::unknown;
use crate::protocol::{Code, Error, Result, Template};

type Templates = BTreeMap<String, Template>;

fn before(template: &Template) -> impl Iterator<Item = &String> {
    template.after.iter().flat_map(|after| after.all()).map(|after| &after.template)
}

/// The names given and all that they come after, however far.
///
/// # Errors
/// `not_found` with the name of a template that there is not, and with who wants it.
pub fn with_dependencies<'a>(
    all: &'a Templates,
    names: impl IntoIterator<Item = &'a String>,
) -> Result<BTreeSet<&'a String>> {
    let mut found = BTreeSet::new();
    let mut next: Vec<(&String, Option<&String>)> = names.into_iter().map(|name| (name, None)).collect();
    while let Some((name, wanted_by)) = next.pop() {
        let Some((name, template)) = all.get_key_value(name) else {
            let mut error = unknown(name, all.keys());
            if let Some(by) = wanted_by {
                error.message = format!("after.template of {by:?}: {}", error.message);
            }
            return Err(error);
        };
        if found.insert(name) {
            next.extend(before(template).map(|other| (other, Some(name))));
        }
    }
    Ok(found)
}

/// The names in steps: each comes after names of earlier steps only.
///
/// # Errors
/// `not_found` as above, and `invalid_params` with the names of a circle.
pub fn levels<'a>(all: &'a Templates, names: impl IntoIterator<Item = &'a String>) -> Result<Vec<Vec<&'a String>>> {
    let wanted = with_dependencies(all, names)?;
    let leaders = |name: &String| -> BTreeSet<&'a String> {
        all.get(name).map(|template| before(template).collect()).unwrap_or_default()
    };
    // What each still waits for, and who waits for each: every `after` is looked at once, however long the chain.
    let mut waits: BTreeMap<&String, usize> = BTreeMap::new();
    let mut followers: BTreeMap<&String, Vec<&'a String>> = BTreeMap::new();
    for name in &wanted {
        let leaders = leaders(name);
        waits.insert(name, leaders.len());
        leaders.into_iter().for_each(|leader| followers.entry(leader).or_default().push(name));
    }
    let mut free: Vec<&'a String> = wanted.iter().copied().filter(|name| waits[name] == 0).collect();
    let (mut levels, mut left) = (Vec::new(), wanted);
    while !free.is_empty() {
        let mut next = Vec::new();
        for name in &free {
            left.remove(name);
            for follower in followers.remove(name).unwrap_or_default() {
                if let Some(count) = waits.get_mut(follower) {
                    *count -= 1;
                    if *count == 0 {
                        next.push(follower);
                    }
                }
            }
        }
        next.sort();
        levels.push(std::mem::replace(&mut free, next));
    }
    if !left.is_empty() {
        return Err(circle(all, &left));
    }
    Ok(levels)
}

/// All names, each after those it comes after.
///
/// # Errors
/// As for [`levels`].
pub fn order(all: &Templates) -> Result<Vec<String>> {
    Ok(levels(all, all.keys())?.into_iter().flatten().cloned().collect())
}

/// Each of those left waits for another of them: going from one to the next comes around.
fn circle(all: &Templates, left: &BTreeSet<&String>) -> Error {
    let mut way: Vec<&String> = left.iter().copied().take(1).collect();
    while let Some(next) = way
        .last()
        .and_then(|name| all.get(*name))
        .and_then(|template| before(template).find(|other| left.contains(other)))
    {
        if let Some(at) = way.iter().position(|name| *name == next) {
            way.push(next);
            way.drain(..at);
            break;
        }
        way.push(next);
    }
    let names: Vec<&str> = way.iter().map(|name| name.as_str()).collect();
    Error::new(
        Code::InvalidParams,
        format!("after.template: these wait for each other: {}; take one `after` out", names.join(" → ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn templates(text: &str) -> Templates {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn each_comes_after_what_it_waits_for() {
        let all = templates(
            r#"{"client": {"after": {"template": "server"}}, "db": {}, "other": {},
                "server": {"after": [{"template": "db", "until": {"pattern": "x"}}, {"template": "cache"}]}, "cache": {}}"#,
        );
        assert_eq!(order(&all).unwrap(), ["cache", "db", "other", "server", "client"]);
        let only = ["server".to_owned()];
        let steps = levels(&all, &only).unwrap();
        assert_eq!(steps, [vec!["cache", "db"], vec!["server"]]);
    }

    #[test]
    fn a_long_chain_in_which_each_names_many_is_in_order() {
        let mut all: Templates = BTreeMap::new();
        all.insert("a".into(), Template::default());
        let mut names = vec!["a".to_owned()];
        for n in 0..900 {
            let name = format!("t{n:03}");
            let mut after = names.clone();
            // Twice is as good as once.
            after.push("a".into());
            let after: Vec<_> = after.iter().map(|name| serde_json::json!({"template": name})).collect();
            all.insert(name.clone(), serde_json::from_value(serde_json::json!({"after": after})).unwrap());
            names.push(name);
        }
        assert_eq!(order(&all).unwrap(), names);
    }

    #[test]
    fn circles_and_unknown_names_are_refused_with_the_names() {
        let all = templates(
            r#"{"a": {"after": {"template": "b"}}, "b": {"after": {"template": "c"}}, "c": {"after": {"template": "b"}}, "d": {}}"#,
        );
        let message = order(&all).unwrap_err().message;
        assert!(message.contains("b → c → b"), "{message}");
        let all = templates(r#"{"a": {"after": {"template": "nobody"}}}"#);
        let message = order(&all).unwrap_err().message;
        assert!(
            message.contains("\"nobody\"") && message.contains("\"a\"") && message.contains("known are: a"),
            "{message}"
        );
    }
}
