-- A name that <Plug> mappings and 'operatorfunc' of an earlier load of the plugin call.
return require('termi.command.plug_mappings')
