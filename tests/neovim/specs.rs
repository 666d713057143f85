//! The specs of the plugin's pure modules, which are written in Lua (`tests/lua/`).

use crate::driver::repository;

in_each_neovim! {
    fn the_pure_modules_do_what_their_specs_say(editor, start => start.without_setup()) {
        let runner = repository().join("tests/lua/run.lua");
        editor.lua(&format!("specs = loadfile([[{}]])('termi')", runner.display()));
        let failures = editor.lua_texts("return specs.failures");
        assert!(failures.is_empty(), "tests/lua:\n{}", failures.join("\n"));
        assert!(editor.lua_number("return specs.passed") >= 40, "the specs are found");
    }
}
