-- A name that commands of an earlier load of the plugin call.
return require('termi.command.complete')
