-- A name that jobs of an earlier load of the plugin call.
return require('termi.rpc.connection')
