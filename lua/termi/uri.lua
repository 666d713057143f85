-- A name that an autocommand of an earlier load of the plugin calls.
return require('termi.view.uri')
