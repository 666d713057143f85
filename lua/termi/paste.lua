-- A name that vim.paste() of an earlier load of the plugin calls.
return require('termi.view.paste')
