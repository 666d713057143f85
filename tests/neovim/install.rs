//! What plugin managers and people do to install it: a copy of the plugin's folder, and a cargo that only copies the
//! binary which is tested.

use std::os::unix::fs::PermissionsExt;

use crate::driver::{Editor, repository};

/// Makes the copy, and the editor use it. `cargo` is a script that stands in for cargo; its first argument is `build`.
pub fn install(editor: &mut Editor, cargo: &str) -> std::path::PathBuf {
    let copy = editor.home.path().join("termi");
    std::fs::create_dir_all(copy.join("doc")).unwrap();
    for name in ["lua", "plugin", "Cargo.toml", "build.lua"] {
        std::os::unix::fs::symlink(repository().join(name), copy.join(name)).unwrap();
    }
    std::fs::copy(repository().join("doc/termi.txt"), copy.join("doc/termi.txt")).unwrap();
    let bin = editor.home.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let stand_in = editor.home.write("bin/cargo", format!("#!/bin/sh\n{cargo}\n"));
    std::fs::set_permissions(stand_in, std::fs::Permissions::from_mode(0o755)).unwrap();
    editor.lua(&format!(
        "vim.env.PATH = [[{}:]] .. vim.env.PATH
         vim.opt.rtp:remove([[{}]])
         vim.opt.rtp:prepend([[{}]])",
        bin.display(),
        repository().display(),
        copy.display(),
    ));
    copy
}

/// Builds as cargo does, into the directory that it is given.
pub fn copying() -> String {
    format!(
        "while [ $# -gt 1 ]; do case $1 in --target-dir) to=$2/release;; esac; shift; done
         mkdir -p \"$to\" && cp '{}' \"$to/termi\"",
        env!("CARGO_BIN_EXE_termi"),
    )
}

in_each_neovim! {
    fn a_build_in_the_background_makes_the_tags_of_the_help(editor, start => start.without_setup()) {
        let copy = install(editor, &copying());
        editor.ex("Termi build");
        editor.hears("built ");
        assert!(copy.join("target/release/termi").is_file());
        assert!(copy.join("doc/tags").is_file());
        editor.ex("help :TermiRun");
        editor.sees("Starts [cmd] and shows it");
        editor.ex("TermiRun echo built and used");
        editor.sees("built and used");
    }

    fn build_lua_builds_for_plugin_managers_that_execute_it(editor, start => start.without_setup()) {
        let copy = install(editor, &copying());
        // Such a manager may execute it before it puts the plugin on 'runtimepath'.
        editor.lua(&format!("vim.opt.rtp:remove([[{}]])", copy.display()));
        editor.lua(&format!("assert(loadfile([[{}]]))()", copy.join("build.lua").display()));
        assert!(copy.join("target/release/termi").is_file());
        editor.ex("TermiRun echo built and used");
        editor.sees("built and used");
    }

    fn a_folder_that_cannot_be_written_is_reported_with_another_way(editor, start => start.without_setup()) {
        let error = "error: Read-only file system (os error 30) at path \"/nix/store/termi/targetyszRjU\"";
        install(editor, &format!("echo '{error}' >&2; exit 101"));
        editor.ex("Termi build");
        let said = editor.hears("name it with the option `binary`");
        assert!(said.contains("os error 30") && said.contains("$PATH"), "{said}");
    }
}
